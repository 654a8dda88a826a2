//! The network as its user sees it: real sockets on the loopback device, wires that can be cut and that count,
//! the public interface only. What needs an insider or a peer that breaks the rules is in `src/tests`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;
mod dead;
mod gossip;
mod order;
mod proxy;
