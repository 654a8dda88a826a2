//! What the tests of the workspace share: a simulated network of consensus cores, simulated power loss.

pub mod power_loss;
pub mod sim;
