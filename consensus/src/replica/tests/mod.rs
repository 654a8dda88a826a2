//! One replica, step by step: what goes in, and exactly what comes out. Names begin with the rule.

mod decide;
mod fixture;
mod new_view;
mod normal;
mod restart;
mod sync;
mod view_change;
