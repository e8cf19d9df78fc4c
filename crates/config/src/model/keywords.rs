//! Enums whose values are keywords of the configuration.

/// An enum with its keywords: the one table by which lines are read and printed.
macro_rules! keywords {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$value_about:meta])* $value:ident = $keyword:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$value_about])* $value,)* }

        impl $name {
            /// The keywords, and what they stand for.
            pub const KEYWORDS: &'static [(&'static str, Self)] = &[$(($keyword, Self::$value)),*];

            /// As the configuration writes it.
            pub const fn keyword(self) -> &'static str {
                match self { $(Self::$value => $keyword),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.keyword())
            }
        }
    };
}

pub(super) use keywords;
