//! One value of every kind of an enum.

/// Makes a function with one value of every variant. A variant without a value does not compile.
macro_rules! every {
    ($(#[$doc:meta])* $name:ident: $enum:ident { $($variant:ident $fields:tt)* }) => {
        $(#[$doc])*
        pub(crate) fn $name() -> Vec<$enum> {
            let listed = |value: &$enum| match value {
                $($enum::$variant { .. } => (),)*
            };
            let all = vec![$($enum::$variant $fields,)*];
            all.iter().for_each(listed);
            all
        }
    };
}

pub(crate) use every;
