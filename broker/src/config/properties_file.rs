//! Java's `.properties` text, as `server.properties` is written.
//!
//! A line is `name=value`, `name: value` or `name value`; `#` and `!` start comments; a backslash at the end continues the
//! line; backslash escapes (`\t`, `\n`, `\uXXXX`, `\=`) are read as Java reads them.

use super::ConfigError;

/// The properties of a `.properties` text, in its order.
///
/// # Errors
/// A `\u` escape that is not four hexadecimal digits, with its line's number.
pub(crate) fn read_properties(text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let mut properties = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let mut logical = line.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_in_continuation(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start()),
                None => break,
            }
        }
        let (name, value) = split(&logical);
        let unescaped = |text: &str| {
            unescape(text).ok_or_else(|| ConfigError(format!("line {}: malformed \\uxxxx escape in {text:?}", at + 1)))
        };
        properties.push((unescaped(name)?, unescaped(value)?));
    }
    Ok(properties)
}

fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Splits at the first `=`, `:` or white space that no backslash precedes.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            '\\' => escaped = !escaped,
            '=' | ':' | ' ' | '\t' | '\x0c' if !escaped => {
                let rest = line[at..].trim_start();
                let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
                return (&line[..at], value.trim_start());
            }
            _ => escaped = false,
        }
    }
    (line, "")
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\x0c'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = (digits.len() == 4).then(|| u32::from_str_radix(&digits, 16).ok())??;
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::read_properties;

    #[test]
    fn properties_are_read_as_java_reads_them() {
        let text = "# comment\n! another\n\nnum.partitions=3\nlog.dirs : /a,\\\n   /b\nname value\n\
                    path=C\\:\\\\x\\u0041\nempty=\n";
        let expected = [
            ("num.partitions", "3"),
            ("log.dirs", "/a,/b"),
            ("name", "value"),
            ("path", "C:\\xA"),
            ("empty", ""),
        ];
        let read = read_properties(text).unwrap();
        let read: Vec<(&str, &str)> = read.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn a_bad_escape_names_its_line() {
        let error = read_properties("a=1\nb=\\u00").unwrap_err();
        assert!(error.to_string().starts_with("line 2:"), "{error}");
    }
}
