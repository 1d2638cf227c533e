//! A disk in memory for tests: what is live and what is durable kept apart, and faults where a test wants them.
//!
//! A power loss ([`MemoryDisk::power_loss`]) keeps of every file what was synced, and of each write and change of size
//! since then all, the first part or nothing, each on its own; of the changes of names, which journaling file systems
//! keep in order, those up to the last synced one and any number of those after. A failed sync leaves its writes in
//! doubt for good: later syncs succeed and say nothing about them.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex};

use super::{DirEntry, Disk, DiskFile, Open, Room};

/// A kind of call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Opening a file.
    Open,
    /// Writing to one.
    Write,
    /// Reading from one.
    Read,
    /// Making one, or the names in a directory, durable.
    Sync,
    /// Renaming one.
    Rename,
    /// Removing one.
    Remove,
    /// Cutting one.
    Resize,
    /// Listing a directory, or asking for a size.
    List,
    /// Making a directory.
    Create,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    call: Call,
    after: usize,
    error: io::ErrorKind,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Size(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Size(size) => to.resize(*size, 0),
        }
    }
}

#[derive(Debug, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync.
    pending: Vec<Change>,
    /// In doubt since a sync that failed.
    in_doubt: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(u64),
}

type Names = BTreeMap<PathBuf, Node>;

#[derive(Clone, Debug)]
enum NameChange {
    Put(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Put(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Rename(from, to) => {
                let moved: Vec<_> = below(names, from);
                for (path, node) in moved {
                    names.remove(&path);
                    let rest = path.strip_prefix(from).unwrap_or(Path::new(""));
                    let to = if rest.as_os_str().is_empty() {
                        to.clone()
                    } else {
                        to.join(rest)
                    };
                    names.insert(to, node);
                }
            }
            Self::Remove(path) => {
                for (path, _) in below(names, path) {
                    names.remove(&path);
                }
            }
        }
    }
}

fn below(names: &Names, path: &Path) -> Vec<(PathBuf, Node)> {
    let all = names
        .range(path.to_path_buf()..)
        .map(|(path, node)| (path.clone(), *node));
    all.filter(|(other, _)| other.starts_with(path)).collect()
}

#[derive(Debug, Default)]
struct State {
    inodes: HashMap<u64, Inode>,
    next_inode: u64,
    names: Names,
    durable_names: Names,
    name_changes: Vec<NameChange>,
    boots: u8,
    faults: Vec<Fault>,
    /// How many syncs of files there were, failed ones too.
    syncs: usize,
    /// How many syncs may go on; all, if that is not bounded.
    permits: Option<usize>,
    /// How many do.
    waiting: usize,
    /// How many more bytes fit, if that is bounded.
    free_bytes: Option<usize>,
}

impl State {
    fn fault(&mut self, call: Call) -> io::Result<()> {
        let Some(place) = self.faults.iter().position(|fault| fault.call == call) else {
            return Ok(());
        };
        if self.faults[place].after == 0 {
            return Err(self.faults.remove(place).error.into());
        }
        self.faults[place].after -= 1;
        Ok(())
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn inode(&mut self, number: u64) -> &mut Inode {
        self.inodes.entry(number).or_default()
    }
}

/// Directories and files in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
    released: Arc<Condvar>,
}

impl MemoryDisk {
    /// Lets a call of a kind fail, after `after` of them that do not.
    pub fn fail(&self, call: Call, after: usize, error: io::ErrorKind) {
        self.state.lock().faults.push(Fault { call, after, error });
    }

    /// How many times a file was made durable, or was to be.
    #[must_use]
    pub fn syncs(&self) -> usize {
        self.state.lock().syncs
    }

    /// Lets so many syncs of files go on from now, and the others wait; or none wait any longer.
    pub fn permit_syncs(&self, permits: Option<usize>) {
        self.state.lock().permits = permits;
        self.released.notify_all();
    }

    /// Returns when a sync waits; says whether one came within `patience`.
    #[must_use]
    pub fn wait_for_held_sync(&self, patience: std::time::Duration) -> bool {
        let mut state = self.state.lock();
        let waited = self
            .released
            .wait_while_for(&mut state, |state| state.waiting == 0, patience);
        !waited.timed_out()
    }

    /// Takes back all faults that have not happened.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// Bounds how many more bytes can be written; a write that does not fit is written in part.
    pub fn set_free_bytes(&self, free_bytes: Option<usize>) {
        self.state.lock().free_bytes = free_bytes;
    }

    /// Changes one byte of a file where nobody notices, as a failing medium does.
    pub fn rot(&self, path: &Path, position: usize) {
        let mut state = self.state.lock();
        if let Ok(Node::File(number)) = state.node(path) {
            let inode = state.inode(number);
            for bytes in [&mut inode.live, &mut inode.durable] {
                if let Some(byte) = bytes.get_mut(position) {
                    *byte ^= 0x55;
                }
            }
        }
    }

    /// Loses what was not synced, or some of it, as `seed` has it; the machine starts anew.
    pub fn power_loss(&self, seed: u64) {
        let state = &mut *self.state.lock();
        let mut seed = seed;
        let mut below = |bound: usize| {
            // SplitMix64: enough to spread a seed, and the same on every machine.
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = seed;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((mixed ^ (mixed >> 31)) % (bound as u64 + 1)).unwrap_or(0)
        };
        let mut numbers: Vec<_> = state.inodes.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            let inode = state.inode(number);
            for change in inode.in_doubt.drain(..).chain(inode.pending.drain(..)) {
                match (below(3), change) {
                    (0, _) => {}
                    (1, Change::Write { at, mut bytes }) => {
                        bytes.truncate(below(bytes.len()));
                        Change::Write { at, bytes }.apply(&mut inode.durable);
                    }
                    (_, change) => change.apply(&mut inode.durable),
                }
            }
            inode.live = inode.durable.clone();
        }
        let kept = below(state.name_changes.len());
        for change in state.name_changes.drain(..).take(kept) {
            change.apply(&mut state.durable_names);
        }
        state.names = state.durable_names.clone();
        state.boots += 1;
        state.faults.clear();
        state.free_bytes = None;
    }

    /// The bytes of a file.
    #[must_use]
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        match state.node(path) {
            Ok(Node::File(number)) => Some(state.inode(number).live.clone()),
            _ => None,
        }
    }

    /// Puts a file there, durable.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state.lock();
        let number = state.next_inode;
        state.next_inode += 1;
        state.inodes.insert(
            number,
            Inode {
                live: bytes.to_vec(),
                durable: bytes.to_vec(),
                ..Inode::default()
            },
        );
        state.names.insert(path.to_path_buf(), Node::File(number));
        state.durable_names.insert(path.to_path_buf(), Node::File(number));
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let state = &mut *self.state.lock();
        state.fault(Call::Open)?;
        let number = match (state.node(path), how) {
            (Ok(Node::File(number)), Open::Existing) => number,
            (Ok(Node::File(number)), Open::Create) => {
                let inode = state.inode(number);
                inode.live.clear();
                inode.pending.push(Change::Size(0));
                number
            }
            (Ok(Node::Dir), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Err(error), Open::Existing) => return Err(error),
            (Err(_), Open::Create) => {
                let number = state.next_inode;
                state.next_inode += 1;
                state.inodes.insert(number, Inode::default());
                state.change_names(NameChange::Put(path.to_path_buf(), Node::File(number)));
                number
            }
        };
        Ok(Box::new(MemoryFile {
            state: Arc::clone(&self.state),
            released: Arc::clone(&self.released),
            number,
        }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.fault(Call::Create)?;
        let mut missing: Vec<_> = path.ancestors().filter(|dir| state.node(dir).is_err()).collect();
        missing.reverse();
        for dir in missing {
            state.change_names(NameChange::Put(dir.to_path_buf(), Node::Dir));
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let state = &mut *self.state.lock();
        state.fault(Call::List)?;
        state.node(path)?;
        let children = below(&state.names, path)
            .into_iter()
            .filter(|(child, _)| child.parent() == Some(path));
        let entries = children.map(|(child, node)| {
            let name = child
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let size_bytes = match node {
                Node::File(number) => state.inodes.get(&number).map_or(0, |inode| inode.live.len() as u64),
                Node::Dir => 0,
            };
            DirEntry {
                name,
                size_bytes,
                is_dir: node == Node::Dir,
            }
        });
        Ok(entries.collect())
    }

    fn size_of(&self, path: &Path) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.fault(Call::List)?;
        match state.node(path)? {
            Node::File(number) => Ok(state.inode(number).live.len() as u64),
            Node::Dir => Ok(0),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.fault(Call::Rename)?;
        state.node(from)?;
        state.change_names(NameChange::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.fault(Call::Remove)?;
        state.node(path)?;
        state.change_names(NameChange::Remove(path.to_path_buf()));
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.remove_file(path)
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        state.fault(Call::Sync)?;
        for change in state.name_changes.drain(..) {
            change.apply(&mut state.durable_names);
        }
        Ok(())
    }

    fn room(&self, _path: &Path) -> io::Result<Option<Room>> {
        Ok(None)
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        Some([self.state.lock().boots; 16])
    }
}

#[derive(Debug)]
struct MemoryFile {
    state: Arc<Mutex<State>>,
    released: Arc<Condvar>,
    number: u64,
}

impl MemoryFile {
    fn change(&self, state: &mut State, change: Change) {
        let inode = state.inode(self.number);
        change.apply(&mut inode.live);
        inode.pending.push(change);
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, head: &[u8], body: &[u8], position: u64) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let at = usize::try_from(position).map_err(io::Error::other)?;
        let mut bytes = [head, body].concat();
        if let Err(error) = state.fault(Call::Write) {
            // Half of it got there.
            bytes.truncate(bytes.len() / 2);
            self.change(state, Change::Write { at, bytes });
            return Err(error);
        }
        let wanted = bytes.len();
        if let Some(free_bytes) = &mut state.free_bytes {
            bytes.truncate(*free_bytes);
            *free_bytes -= bytes.len();
        }
        let written = bytes.len();
        self.change(state, Change::Write { at, bytes });
        if written < wanted {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let state = &mut *self.state.lock();
        state.fault(Call::Read)?;
        let live = &state.inode(self.number).live;
        let at = usize::try_from(position).unwrap_or(usize::MAX).min(live.len());
        let len = buffer.len().min(live.len() - at);
        buffer[..len].copy_from_slice(&live[at..at + len]);
        Ok(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut locked = self.state.lock();
        locked.waiting += 1;
        self.released.notify_all();
        while locked.permits == Some(0) {
            self.released.wait(&mut locked);
        }
        locked.permits = locked.permits.map(|permits| permits - 1);
        locked.waiting -= 1;
        let state = &mut *locked;
        state.syncs += 1;
        let fault = state.fault(Call::Sync);
        let inode = state.inode(self.number);
        if fault.is_err() {
            inode.in_doubt.append(&mut inode.pending);
            return fault;
        }
        for change in inode.pending.drain(..) {
            change.apply(&mut inode.durable);
        }
        Ok(())
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        let state = &mut *self.state.lock();
        state.fault(Call::Resize)?;
        let size = usize::try_from(size_bytes).map_err(io::Error::other)?;
        self.change(state, Change::Size(size));
        Ok(())
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
