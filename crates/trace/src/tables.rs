//! Both ways from one list: a struct's fields, an enum's variants. What is not listed does not compile.

/// `{name=item name=item}` for a struct; with `out`, for printing only.
macro_rules! record {
    (out $type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::text::Print for $type {
            fn print(&self, out: &mut String) {
                let Self { $($field),* } = self;
                let mut fields = $crate::text::Fields::begin(out);
                $(fields.add(stringify!($field), $field);)*
                fields.end();
            }
        }
    };
    ($type:ty { $($field:ident),* $(,)? }) => {
        $crate::tables::record!(out $type { $($field),* });

        impl $crate::text::Parse for $type {
            fn parse(cursor: &mut $crate::cursor::Cursor<'_>) -> Result<Self, $crate::cursor::ParseError> {
                cursor.inside('{', '}', |cursor| {
                    $(let $field = $crate::text::field(cursor, stringify!($field))?;)*
                    Ok(Self { $($field),* })
                })
            }
        }
    };
}

/// `Word`, `Word(item)` or `Word{name=item …}` for an enum; with `out`, for printing only.
macro_rules! choice {
    (out $type:ty {
        $($variant:ident $({ $($field:ident),* $(,)? })? $(( $item:ident ))?),* $(,)?
    }) => {
        impl $crate::text::Print for $type {
            fn print(&self, out: &mut String) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(($item))? => {
                        out.push_str(stringify!($variant));
                        $(
                            let mut fields = $crate::text::Fields::begin(out);
                            $(fields.add(stringify!($field), $field);)*
                            fields.end();
                        )?
                        $(
                            out.push('(');
                            $item.print(out);
                            out.push(')');
                        )?
                    })*
                }
            }
        }
    };
    ($type:ty {
        $($variant:ident $({ $($field:ident),* $(,)? })? $(( $item:ident ))?),* $(,)?
    }) => {
        $crate::tables::choice!(out $type { $($variant $({ $($field),* })? $(( $item ))?),* });

        impl $crate::text::Parse for $type {
            fn parse(cursor: &mut $crate::cursor::Cursor<'_>) -> Result<Self, $crate::cursor::ParseError> {
                let at = cursor.place();
                let expected = concat!("one of", $(" ", stringify!($variant)),*);
                let word = cursor.word(expected)?;
                $(if word == stringify!($variant) {
                    return $crate::tables::variant!(cursor $variant $({ $($field),* })? $(( $item ))?);
                })*
                Err(cursor.wrong_at(at, expected))
            }
        }
    };
}

/// What belongs to one variant.
macro_rules! variant {
    ($cursor:ident $variant:ident) => {
        Ok(Self::$variant)
    };
    ($cursor:ident $variant:ident { $($field:ident),* }) => {
        $cursor.inside('{', '}', |cursor| {
            $(let $field = $crate::text::field(cursor, stringify!($field))?;)*
            Ok(Self::$variant { $($field),* })
        })
    };
    ($cursor:ident $variant:ident($item:ident)) => {
        $cursor.inside('(', ')', |cursor| $crate::text::Parse::parse(cursor).map(Self::$variant))
    };
}

pub(crate) use {choice, record, variant};
