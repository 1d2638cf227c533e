//! The disk whose power can be lost: a process that writes, syncs and is killed.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cut::{PowerCut, Unsynced};

const PAGE_BYTES: usize = 4096;

const CHILD: &str = "POWER_CUT_TEST_CHILD";

/// Not a test: what the child does, each step told on its standard output.
#[test]
#[ignore = "run as a process of its own by the other test"]
fn child() {
    let Some(root) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let sync = |path: &Path| fs::File::open(path).unwrap().sync_all().unwrap();
    fs::create_dir_all(root.join("a/b")).unwrap();
    let file = fs::File::create(root.join("a/b/synced")).unwrap();
    file.write_all_at(&[1; 10_000], 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&[2; 10_000], 5_000).unwrap();
    fs::write(root.join("a/b/unsynced"), [3; 5_000]).unwrap();
    sync(&root);
    sync(&root.join("a"));
    sync(&root.join("a/b"));
    fs::rename(root.join("a/b/synced"), root.join("a/b/renamed")).unwrap();
    fs::remove_file(root.join("a/b/unsynced")).unwrap();
    // Must not be given the number of the one that was removed, and is durable under that name.
    let other = fs::File::create(root.join("a/b/other")).unwrap();
    other.write_all_at(&[4; 10], 0).unwrap();
    other.sync_all().unwrap();
    fs::create_dir(root.join("a/never")).unwrap();
    println!("{}", fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap());
    std::process::abort();
}

fn run(disk: &PowerCut) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "model::child", "--ignored", "--nocapture"]);
    disk.under(&mut command);
    let ended = command.env(CHILD, disk.root()).output().unwrap();
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn what_was_synced_is_there_and_nothing_else() {
    let mut disk = PowerCut::new();
    let said = run(&disk);
    assert!(said.contains("00000000-0000-4000-8000-000000000001"), "{said}");
    disk.lose_power(Unsynced::Gone);
    let at = |name: &str| disk.root().join("a").join(name);
    assert_eq!(fs::read(at("b/synced")).unwrap(), [1; 10_000]);
    assert_eq!(fs::read(at("b/unsynced")).unwrap(), b"");
    assert!(!at("b/renamed").exists() && !at("b/other").exists() && !at("never").exists());
}

#[test]
fn of_what_was_not_synced_anything_may_be_there() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..12 {
        let mut disk = PowerCut::new();
        run(&disk);
        disk.lose_power(Unsynced::Any(seed));
        let at = |name: &str| disk.root().join("a").join(name);
        for name in ["b/synced", "b/renamed"] {
            // What is durable is there, whatever there is besides.
            if let Ok(bytes) = fs::read(at(name)) {
                assert_eq!(
                    bytes[..5_000 / PAGE_BYTES * PAGE_BYTES],
                    [1; 5_000 / PAGE_BYTES * PAGE_BYTES]
                );
                outcomes.insert((name, bytes.len()));
            }
        }
        outcomes.insert((if at("never").exists() { "made" } else { "not made" }, 0));
    }
    assert!(outcomes.len() >= 6, "{outcomes:?}");
}
