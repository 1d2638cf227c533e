//! Where the prices come from: the file in the binary, another file, or stdin; gzipped or not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use tickertape_client::{UsageError, nearest};

/// The bundled prices, gzipped CSV. Where they are from: `producer/data/README.md`.
static BUNDLED: &[u8] = include_bytes!("../data/stocks.csv.gz");

/// A source of CSV.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// The prices in the binary: five stocks, 2000 to 2013.
    #[default]
    Bundled,
    /// A file, gzipped or not.
    File(PathBuf),
    /// Standard input, gzipped or not.
    Stdin,
}

impl Input {
    /// `-` is stdin, anything else a file.
    pub fn from_argument(argument: &str) -> Input {
        match argument {
            "-" => Input::Stdin,
            path => Input::File(PathBuf::from(path)),
        }
    }

    /// How it is called in messages.
    pub fn name(&self) -> String {
        match self {
            Input::Bundled => "the bundled prices".to_owned(),
            Input::File(path) => path.display().to_string(),
            Input::Stdin => "stdin".to_owned(),
        }
    }

    /// Opens it, and unpacks it when its first bytes are gzip's.
    ///
    /// # Errors
    /// A [`UsageError`] for a file that does not exist, with the nearest name in its folder; otherwise what
    /// the system says.
    pub fn open(&self) -> anyhow::Result<Box<dyn Read + Send>> {
        let raw: Box<dyn BufRead + Send> = match self {
            Input::Bundled => Box::new(BUNDLED),
            Input::File(path) => Box::new(BufReader::with_capacity(1 << 16, open_file(path)?)),
            Input::Stdin => Box::new(BufReader::with_capacity(1 << 16, std::io::stdin())),
        };
        unpacked(raw).with_context(|| format!("reading {}", self.name()))
    }
}

fn unpacked(mut raw: Box<dyn BufRead + Send>) -> std::io::Result<Box<dyn Read + Send>> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    match raw.fill_buf()?.starts_with(&GZIP) {
        true => Ok(Box::new(MultiGzDecoder::new(raw))),
        false => Ok(Box::new(raw)),
    }
}

fn open_file(path: &Path) -> anyhow::Result<File> {
    if path.is_dir() {
        return Err(UsageError(format!("{} is a folder, not a file", path.display())).into());
    }
    match File::open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(no_such_file(path).into()),
        Err(error) => Err(error).with_context(|| format!("opening {}", path.display())),
    }
}

fn no_such_file(path: &Path) -> UsageError {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let hint = match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean \"{}\"?", path.with_file_name(near).display()),
        None => String::new(),
    };
    UsageError(format!("no such file \"{}\"{hint}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(input: &Input) -> String {
        let mut text = String::new();
        input.open().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn gzip_is_told_by_its_first_bytes_and_not_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, packed) = (folder.path().join("a.csv.gz"), folder.path().join("b.csv"));
        std::fs::write(&plain, "x,y\n").unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"x,y\n").unwrap();
        std::fs::write(&packed, encoder.finish().unwrap()).unwrap();
        assert_eq!(read(&Input::File(plain)), "x,y\n");
        assert_eq!(read(&Input::File(packed)), "x,y\n");
        assert_eq!(read(&Input::Bundled).lines().count(), 12_155);
    }

    #[test]
    fn an_empty_file_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        std::fs::write(&path, "").unwrap();
        assert_eq!(read(&Input::File(path)), "");
    }

    #[test]
    fn a_missing_file_is_named_with_the_nearest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("prices.csv"), "").unwrap();
        let error = Input::File(folder.path().join("price.csv")).open().err().unwrap();
        assert!(error.is::<UsageError>());
        let text = error.to_string();
        assert!(
            text.contains("price.csv\"; did you mean") && text.contains("prices.csv\"?"),
            "{text}"
        );
        assert!(Input::File(folder.path().to_owned()).open().is_err());
    }
}
