//! A disk whose power can be lost under a server that runs as a process.
//!
//! # The fault model
//! The power goes between any two instructions. Of what was written, that is durable for which POSIX says so
//! (`power_cut.c`): a file's bytes as of its last fsync or fdatasync, a directory's names as of its last fsync. All else is
//! [as the test wants](Unsynced): gone, or any of it there, file by file, name by name, page by page.
//!
//! What the disk does behind a sync that succeeded is not part of it: a disk that lies loses what it wants.
//!
//! Shared by the tests of several crates, which take this file in by its path.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

const PAGE_BYTES: usize = 4096;

/// What of that which was never synced is there after the loss of power.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unsynced {
    /// Nothing.
    Gone,
    /// Any of it, as the seed says.
    Any(u64),
}

/// A directory that plays a disk.
pub(crate) struct PowerCut {
    home: TempDir,
    cuts: u32,
}

impl PowerCut {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let this = Self { home, cuts: 0 };
        this.begin();
        this
    }

    /// What plays the disk, from one loss of power to the next.
    pub(crate) fn root(&self) -> PathBuf {
        self.home.path().join(format!("disk-{}", self.cuts))
    }

    fn shadow(&self) -> PathBuf {
        self.home.path().join(format!("shadow-{}", self.cuts))
    }

    fn boot_id(&self) -> PathBuf {
        self.home.path().join("boot_id")
    }

    fn begin(&self) {
        fs::create_dir_all(self.root()).unwrap();
        fs::create_dir(self.shadow()).unwrap();
        let number = u64::from(self.cuts) + 1;
        fs::write(self.boot_id(), format!("00000000-0000-4000-8000-{number:012x}\n")).unwrap();
    }

    /// Lets a server that is about to be started write to this disk. Any number of them may, one after the other.
    pub(crate) fn under(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", library())
            .env("POWER_CUT_ROOT", self.root())
            .env("POWER_CUT_SHADOW", self.shadow())
            .env("POWER_CUT_BOOT_ID", self.boot_id());
    }

    /// The power is lost, after the server was killed: the disk has what was durable from now on.
    pub(crate) fn lose_power(&mut self, unsynced: Unsynced) {
        let (root, shadow) = (self.root(), self.shadow());
        let mut live = HashMap::new();
        find(&root, &mut live);
        self.cuts += 1;
        let mut remains = Remains {
            shadow: &shadow,
            live,
            written: HashMap::new(),
            dice: match unsynced {
                Unsynced::Gone => None,
                Unsynced::Any(seed) => Some(Dice(seed)),
            },
        };
        let inode = fs::metadata(&root).unwrap().ino();
        remains.directory(&self.root(), inode);
        self.begin();
        fs::remove_dir_all(root).unwrap();
        fs::remove_dir_all(shadow).unwrap();
    }
}

/// Compiles what is loaded into the servers, once for all tests of the process.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let build = || {
        let home = tempfile::tempdir().unwrap();
        let (source, library) = (home.path().join("power_cut.c"), home.path().join("power_cut.so"));
        fs::write(&source, include_str!("power_cut.c")).unwrap();
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(&compiler);
        command
            .args(["-shared", "-fPIC", "-O1", "-pthread", "-o"])
            .arg(&library);
        let built = command.arg(&source).arg("-ldl").status();
        let built = built.unwrap_or_else(|error| panic!("a C compiler is needed ({}): {error}", compiler.display()));
        assert!(built.success(), "{} cannot make a shared library", compiler.display());
        (home, library)
    };
    &LIBRARY.get_or_init(build).1
}

/// The files and directories below, by their numbers.
fn find(directory: &Path, found: &mut HashMap<u64, PathBuf>) {
    found.insert(fs::metadata(directory).unwrap().ino(), directory.to_owned());
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            find(&entry.path(), found);
        } else {
            found.insert(entry.ino(), entry.path());
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    is_file: bool,
    inode: u64,
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What is left of a disk.
struct Remains<'a> {
    shadow: &'a Path,
    live: HashMap<u64, PathBuf>,
    /// A file of several names is written once.
    written: HashMap<u64, PathBuf>,
    dice: Option<Dice>,
}

impl Remains<'_> {
    fn directory(&mut self, to: &Path, inode: u64) {
        fs::create_dir(to).unwrap();
        let (durable, live) = (self.durable_names(inode), self.live_names(inode));
        let mut names: Vec<_> = durable.keys().chain(live.keys()).cloned().collect();
        names.sort();
        names.dedup();
        for name in names {
            let node = match (durable.get(&name).copied(), live.get(&name).copied()) {
                (durable, live) if durable == live => durable,
                (durable, live) => match self.dice.as_mut().map(|dice| dice.below(2)) {
                    Some(1) => live,
                    _ => durable,
                },
            };
            match node {
                Some(Node { is_file: true, inode }) => self.file(&to.join(name), inode),
                Some(Node { is_file: false, inode }) => self.directory(&to.join(name), inode),
                None => {}
            }
        }
    }

    fn durable_names(&self, inode: u64) -> BTreeMap<String, Node> {
        let text = fs::read_to_string(self.shadow.join(format!("names/{inode}"))).unwrap_or_default();
        let parse = |entry: &str| {
            let mut fields = entry.splitn(3, ' ');
            let is_file = fields.next()? == "f";
            let inode = fields.next()?.parse().ok()?;
            Some((fields.next()?.to_owned(), Node { is_file, inode }))
        };
        let entries = text.split_terminator('\0');
        entries.map(|entry| parse(entry).expect("an entry")).collect()
    }

    fn live_names(&self, inode: u64) -> BTreeMap<String, Node> {
        let Some(path) = self.live.get(&inode).filter(|path| path.is_dir()) else {
            return BTreeMap::new();
        };
        let entries = fs::read_dir(path).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let node = Node {
                is_file: entry.file_type().unwrap().is_file(),
                inode: entry.ino(),
            };
            (entry.file_name().into_string().unwrap(), node)
        });
        entries.collect()
    }

    fn file(&mut self, to: &Path, inode: u64) {
        if let Some(first) = self.written.get(&inode) {
            return fs::hard_link(first, to).unwrap();
        }
        let durable = self.shadow.join(format!("bytes/{inode}"));
        let pin = self.shadow.join(format!("pins/{inode}"));
        let live = [Some(&pin), self.live.get(&inode)]
            .into_iter()
            .flatten()
            .find(|path| path.is_file());
        match (&mut self.dice, live) {
            (Some(dice), Some(live)) => {
                let durable = fs::read(&durable).unwrap_or_default();
                fs::write(to, mixed(dice, &durable, &fs::read(live).unwrap())).unwrap();
            }
            _ if durable.is_file() => drop(fs::copy(&durable, to).unwrap()),
            _ => fs::write(to, []).unwrap(),
        }
        self.written.insert(inode, to.to_owned());
    }
}

/// The bytes that are durable, those that were written, or of each page one or the other.
fn mixed(dice: &mut Dice, durable: &[u8], live: &[u8]) -> Vec<u8> {
    let sides = dice.below(3);
    if durable == live || sides == 0 {
        return durable.to_vec();
    }
    if sides == 1 {
        return live.to_vec();
    }
    let size = [durable.len(), live.len()][usize::from(dice.below(2) == 1)];
    let mut bytes = vec![0; size];
    for (page, to) in bytes.chunks_mut(PAGE_BYTES).enumerate() {
        let from = if dice.below(2) == 1 { live } else { durable };
        let from = &from[from.len().min(page * PAGE_BYTES)..];
        let length = to.len().min(from.len());
        to[..length].copy_from_slice(&from[..length]);
    }
    bytes
}
