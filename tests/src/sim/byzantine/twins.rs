//! One key, two nodes: each is honest by itself, and hears and is heard by one half only (Twins, Bano et al.,
//! OPODIS'21). The world does the rest: it gives both the same seat.

use super::Fixture;

pub(super) struct Twins;

impl Fixture for Twins {}
