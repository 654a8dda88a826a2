//! What the tests of the workspace share: a simulated network of consensus cores, scripted schedules, simulated
//! power loss.

pub mod damage;
mod forge;
pub mod fuzz;
pub mod power_loss;
pub mod schedule;
pub mod sim;
mod slot;
