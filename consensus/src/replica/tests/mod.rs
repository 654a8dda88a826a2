//! One replica, step by step: what goes in, and exactly what comes out. Names begin with the rule.

mod bounds;
mod decide;
mod epochs;
mod fixture;
mod hostile;
mod new_view;
mod normal;
mod old_record;
mod primary;
mod recall;
mod restart;
mod rig;
mod rules;
mod suspect;
mod sync;
mod view_change;
