//! Which column is which, told by the header.
//!
//! Of a header only letters and digits are compared, whatever their case: `Adj Close`, `adj_close` and
//! `AdjClose` are one. `--columns symbol=Index` names a header outright. Whatever is left
//! travels along under its snake_case name, with `_2` after a name that is taken.

use tickertape_client::{UsageError, nearest};

/// The columns with a meaning, in the order in which an event carries them, each with the headers that it
/// goes by.
const KNOWN: [(&str, &[&str]); 8] = [
    ("symbol", &["symbol", "ticker", "name", "index"]),
    ("date", &["date", "day", "datetime", "timestamp"]),
    ("open", &["open"]),
    ("high", &["high"]),
    ("low", &["low"]),
    ("close", &["close", "closelast"]),
    ("adj_close", &["adjclose", "adjustedclose"]),
    ("volume", &["volume", "vol"]),
];

/// Names that an event gives itself; a column of such a name is renamed.
const RESERVED: [&str; 2] = ["event_time", "seq"];

/// Where each column of a file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The headers, as they stand in the file.
    pub headers: Vec<String>,
    /// The symbol's place.
    pub symbol: usize,
    /// The date's place.
    pub date: usize,
    /// The columns that an event carries after symbol and date, in order.
    pub carried: Vec<Carried>,
}

/// One column that events carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its name in the event.
    pub name: String,
    /// Its place in the file.
    pub place: usize,
    /// Whether it is one of those that must be numbers.
    pub numeric: bool,
}

impl Columns {
    /// Finds the columns in a header.
    ///
    /// # Errors
    /// A required column that is not there (symbol and date always; prices and volume with `for_ticks`), or
    /// one of `chosen` (name, header) that does not exist, each with the nearest that does.
    pub fn find(
        headers: Vec<String>,
        chosen: &[(String, String)],
        for_ticks: bool,
        file: &str,
    ) -> Result<Columns, UsageError> {
        let plain: Vec<String> = headers.iter().map(|header| plain_name(header)).collect();
        let mut places = [None; KNOWN.len()];
        for (name, header) in chosen {
            let known = KNOWN.iter().position(|(known, _)| known == name);
            let known =
                known.ok_or_else(|| UsageError::unknown("column to choose", name, KNOWN.map(|(known, _)| known)))?;
            let place = headers.iter().position(|own| own == header);
            let place = place.or_else(|| plain.iter().position(|own| *own == plain_name(header)));
            let place = place.ok_or_else(|| {
                let of = format!("column of {file}");
                UsageError::unknown(&of, header, headers.iter().map(String::as_str))
            })?;
            places[known] = Some(place);
        }
        for (known, (_, aliases)) in KNOWN.iter().enumerate() {
            if places[known].is_none() {
                let taken = places;
                places[known] = aliases.iter().find_map(|alias| {
                    let place = plain.iter().position(|own| own == alias)?;
                    (!taken.contains(&Some(place))).then_some(place)
                });
            }
        }
        let required =
            |known: usize| places[known].ok_or_else(|| missing(KNOWN[known].0, KNOWN[known].1, &headers, file));
        let (symbol, date) = (required(0)?, required(1)?);
        if for_ticks {
            for known in [2, 3, 4, 5, 7] {
                required(known)?;
            }
        }
        let snakes: Vec<String> = headers.iter().map(|header| snake_case(header)).collect();
        let carried = carried(&places, &snakes);
        Ok(Columns {
            headers,
            symbol,
            date,
            carried,
        })
    }

    /// The place of a numeric column by its name in the event.
    pub fn place(&self, name: &str) -> Option<usize> {
        let carried = self.carried.iter();
        let mut named = carried.filter(|column| column.numeric && column.name == name);
        named.next().map(|column| column.place)
    }
}

fn carried(places: &[Option<usize>], snakes: &[String]) -> Vec<Carried> {
    let known = KNOWN.iter().zip(places).skip(2);
    let mut carried: Vec<Carried> = known
        .filter_map(|((name, _), place)| {
            Some(Carried {
                name: (*name).to_owned(),
                place: (*place)?,
                numeric: true,
            })
        })
        .collect();
    let mut taken: Vec<String> = RESERVED.map(str::to_owned).to_vec();
    taken.extend(
        KNOWN
            .iter()
            .zip(places)
            .filter(|(_, place)| place.is_some())
            .map(|((name, _), _)| (*name).to_owned()),
    );
    for (place, snake) in snakes.iter().enumerate() {
        if places.contains(&Some(place)) {
            continue;
        }
        let base = if snake.is_empty() { "column" } else { snake };
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        let Some(name) = names.find(|name| !taken.contains(name)) else {
            continue;
        };
        taken.push(name.clone());
        carried.push(Carried {
            name,
            place,
            numeric: false,
        });
    }
    carried
}

fn missing(name: &str, aliases: &[&str], headers: &[String], file: &str) -> UsageError {
    let list = headers.join(", ");
    let near = aliases
        .iter()
        .find_map(|alias| nearest(alias, headers.iter().map(String::as_str)));
    let example = match near {
        Some(near) => format!("did you mean \"{near}\"? --columns {name}={near} says so"),
        None => format!("--columns {name}=HEADER says which it is"),
    };
    UsageError(format!(
        "no column \"{name}\" in {file}, whose header is: {list}; {example}"
    ))
}

/// The letters and digits of a header, in lower case.
fn plain_name(header: &str) -> String {
    let kept = header.chars().filter(|character| character.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// `CloseUSD` -> `close_usd`, `Adj Close` -> `adj_close`, `Close/Last` -> `close_last`.
pub fn snake_case(header: &str) -> String {
    let mut snake = String::with_capacity(header.len() + 2);
    let characters: Vec<char> = header.chars().collect();
    for (place, &character) in characters.iter().enumerate() {
        if !character.is_alphanumeric() {
            if !snake.is_empty() && !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        let before = place.checked_sub(1).map(|place| characters[place]);
        let after = characters.get(place + 1);
        let starts_word = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if starts_word && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake.truncate(snake.trim_end_matches('_').len());
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(headers: &str, chosen: &[(&str, &str)], for_ticks: bool) -> Result<Columns, String> {
        let headers = headers.split(',').map(str::to_owned).collect();
        let chosen: Vec<_> = chosen
            .iter()
            .map(|(name, header)| ((*name).to_owned(), (*header).to_owned()))
            .collect();
        Columns::find(headers, &chosen, for_ticks, "x.csv").map_err(|error| error.to_string())
    }

    fn names(columns: &Columns) -> Vec<(&str, usize)> {
        columns
            .carried
            .iter()
            .map(|column| (column.name.as_str(), column.place))
            .collect()
    }

    #[test]
    fn snake_case_of_what_people_write() {
        for (header, snake) in [
            ("CloseUSD", "close_usd"),
            ("Adj Close", "adj_close"),
            ("AdjClose", "adj_close"),
            ("USDClose", "usd_close"),
            (" Close/Last ", "close_last"),
            ("Volume (shares)", "volume_shares"),
            ("P/E", "p_e"),
            ("52Week High", "52_week_high"),
            ("***", ""),
        ] {
            assert_eq!(snake_case(header), snake, "{header}");
        }
    }

    #[test]
    fn both_files_shapes_are_found() {
        let stocks = find("Ticker,Date,Open,High,Low,Close,Volume,Adj Close", &[], true).unwrap();
        assert_eq!((stocks.symbol, stocks.date), (0, 1));
        assert_eq!(
            names(&stocks),
            [
                ("open", 2),
                ("high", 3),
                ("low", 4),
                ("close", 5),
                ("adj_close", 7),
                ("volume", 6)
            ]
        );
        let indexes = find("Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD", &[], true).unwrap();
        assert_eq!(names(&indexes).last(), Some(&("close_usd", 8)));
    }

    #[test]
    fn a_chosen_header_wins_and_the_other_travels_along_renamed() {
        let chosen = [("symbol", "Index"), ("close", "closeusd")];
        let columns = find("Name,Index,Date,Close,CloseUSD,Seq", &chosen, false).unwrap();
        assert_eq!(columns.symbol, 1);
        assert_eq!(
            names(&columns),
            [("close", 4), ("name", 0), ("close_2", 3), ("seq_2", 5)]
        );
        assert_eq!(columns.place("close"), Some(4));
        assert_eq!(columns.place("open"), None);
    }

    #[test]
    fn what_is_missing_is_named_with_the_nearest() {
        let error = find("Tickr,Date", &[], false).unwrap_err();
        assert!(
            error.contains("no column \"symbol\" in x.csv") && error.contains("--columns symbol=Tickr"),
            "{error}"
        );
        let error = find("Symbol,Date,Open", &[], true).unwrap_err();
        assert!(error.contains("no column \"high\""), "{error}");
        let error = find("Symbol,Date", &[("symbol", "Symbl")], false).unwrap_err();
        assert!(
            error.contains("no such column of x.csv \"Symbl\"; did you mean \"Symbol\"?"),
            "{error}"
        );
        let error = find("Symbol,Date", &[("symbl", "Symbol")], false).unwrap_err();
        assert!(error.contains("did you mean \"symbol\"?"), "{error}");
    }
}
