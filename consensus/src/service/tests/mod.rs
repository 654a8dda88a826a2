//! Hosts in a small network in memory. Every test also checks that nothing leaves a host before what it rests
//! on is stored, and that no host ever signs two things for one slot.

mod crashes;
mod faults;
mod life;
mod limits;
mod net;
