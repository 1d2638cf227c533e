//! A sled database in a process that is killed, on a disk that loses its power: values small enough for the log, and
//! values that sled keeps in files of their own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tickertape_durable::SledFiles;

use crate::cut::{PowerCut, Unsynced};

const CHILD: &str = "SLED_FILES_TEST_CHILD";
const KEYS: u64 = 40;

fn value(number: u64) -> Vec<u8> {
    // A segment of sled's log takes a record of 128 KiB at most.
    let len = match number % 16 {
        0 => 150_000,
        5 => 12_000,
        _ => 10 + usize::try_from(number % 7).unwrap() * 200,
    };
    number.to_be_bytes().into_iter().cycle().take(len).collect()
}

fn open(dir: &Path) -> (sled::Db, SledFiles) {
    let files = SledFiles::prepare(dir).unwrap();
    let db = sled::Config::new().path(dir).cache_capacity(1 << 20).open().unwrap();
    files.opened().unwrap();
    (db, files)
}

/// Not a test: what the child does until it is killed.
#[test]
#[ignore = "run as a process of its own by the other test"]
fn child() {
    let Some(given) = std::env::var_os(CHILD).and_then(|given| given.into_string().ok()) else {
        return;
    };
    let (first, rest) = given.split_once(' ').unwrap();
    let (is_synced, dir) = rest.split_once(' ').unwrap();
    let (db, files) = open(Path::new(dir));
    for number in first.parse::<u64>().unwrap().. {
        db.insert((number % KEYS).to_be_bytes(), value(number)).unwrap();
        if number.is_multiple_of(3) {
            let before = files.before().unwrap();
            db.flush().unwrap();
            if is_synced == "synced" {
                files.sync(&before).unwrap();
            }
            println!("durable {number}");
        }
    }
}

/// Writes from `first` on until that many were told to be durable; gives the last of them.
fn write(disk: &PowerCut, first: u64, count: usize, is_synced: bool) -> u64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "sled_files::child", "--ignored", "--nocapture"]);
    disk.under(&mut command);
    let how = if is_synced { "synced" } else { "flushed" };
    command.env(CHILD, format!("{first} {how} {}", disk.root().join("db").display()));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = lines
        .map_while(Result::ok)
        .filter_map(|line| line.split_once("durable ")?.1.parse().ok());
    let last = told.take(count).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    last
}

/// The greatest number that is there; an error where a value is torn, or older than what was `durable`. Of the values after
/// that, any may be missing.
fn look(dir: &Path, durable: u64) -> Result<u64, String> {
    let (db, _files) = open(dir);
    let mut found = BTreeMap::new();
    for entry in db.iter() {
        let (key, value) = entry.map_err(|error| error.to_string())?;
        let key = u64::from_be_bytes(key.as_ref().try_into().unwrap());
        let number = u64::from_be_bytes(value[..8].try_into().unwrap());
        if number % KEYS != key || value != self::value(number) {
            return Err(format!("{number} is torn"));
        }
        found.insert(key, number);
    }
    for number in durable.saturating_sub(KEYS - 1).max(1)..=durable {
        let found = found.get(&(number % KEYS));
        if found.is_none_or(|&found| found < number) {
            return Err(format!("{number} was durable, {found:?} is there"));
        }
    }
    Ok(found.into_values().max().unwrap_or(0))
}

fn rounds() -> u64 {
    std::env::var("TICKERTAPE_POWER_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap())
}

#[test]
fn what_was_synced_survives_the_loss_of_power() {
    let seed: u64 = std::env::var("TICKERTAPE_POWER_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut disk = PowerCut::new();
    let mut first = 1;
    for round in 0..rounds() {
        let last = write(&disk, first, 5 + (seed * 7 + round * 13) as usize % 30, true);
        let unsynced = match round % 2 {
            0 => Unsynced::Gone,
            _ => Unsynced::Any(seed * 1_000 + round),
        };
        disk.lose_power(unsynced);
        let found = look(&disk.root().join("db"), last);
        first = 1 + found.unwrap_or_else(|error| panic!("round {round}, {unsynced:?}: {error}"));
    }
}

/// The test above can fail: what sled flushed is not there, or sled cannot even open what is.
#[test]
fn what_sled_flushed_does_not() {
    let mut disk = PowerCut::new();
    let last = write(&disk, 1, 20, false);
    disk.lose_power(Unsynced::Gone);
    let found = std::panic::catch_unwind(|| look(&disk.root().join("db"), last));
    assert!(!matches!(found, Ok(Ok(_))), "{found:?}");
}
