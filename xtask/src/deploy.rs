//! `cargo xtask deploy`: the files of a server, put into CloudFormation's template, which has to be one file.
//!
//! In `deploy/aws/tickertape.yaml` a comment with a file's path and `content: |` stand before each copy. What the files
//! say holds; a test compares.

use std::path::Path;

use anyhow::{Context as _, ensure};

const TEMPLATE: &str = "deploy/aws/tickertape.yaml";
/// What CloudFormation takes without a bucket to read it from.
const BYTES_MAX: usize = 51_200;

/// Writes the template anew; with `check` only compares.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let path = crate::root().join(TEMPLATE);
    let before = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let after = embed(&before, &crate::root())?;
    ensure!(
        after.len() <= BYTES_MAX,
        "{TEMPLATE} has {} bytes, CloudFormation takes {BYTES_MAX}",
        after.len()
    );
    if check {
        ensure!(
            before == after,
            "{TEMPLATE} has other files than deploy/: run `cargo xtask deploy`"
        );
    } else if before != after {
        std::fs::write(&path, after).with_context(|| path.display().to_string())?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// The template with each copy replaced by the file that the comment before it names.
fn embed(template: &str, root: &Path) -> anyhow::Result<String> {
    let mut out = String::new();
    let mut named: Option<&str> = None;
    let mut lines = template.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let indent = line.len() - line.trim_start().len();
        if let (Some(file), "content: |") = (named, line.trim()) {
            // The copy is all that is indented deeper, with the empty lines in between.
            while lines
                .next_if(|copied| copied.trim().is_empty() || copied.len() - copied.trim_start().len() > indent)
                .is_some()
            {}
            let text = std::fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
            for copied in text.lines() {
                if !copied.is_empty() {
                    out.extend(std::iter::repeat_n(' ', indent + 2));
                    out.push_str(copied);
                }
                out.push('\n');
            }
            // A line that ends the section above the next one was taken for part of the copy.
            if lines.peek().is_some_and(|next| next.starts_with("  # ---")) {
                out.push('\n');
            }
        }
        named = line
            .trim()
            .strip_prefix("# ")
            .filter(|name| name.starts_with("deploy/"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_the_files_as_they_are() {
        run(true).unwrap();
    }

    #[test]
    fn a_copy_is_replaced_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("xtask-deploy-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("deploy")).unwrap();
        std::fs::write(dir.join("deploy/a"), "one\n\n  two\n").unwrap();
        let template = "a:\n  # deploy/a\n  content: |\n    old\n\n    older\n  b: 1\n  content: |\n    stays\n";
        let expected = "a:\n  # deploy/a\n  content: |\n    one\n\n      two\n  b: 1\n  content: |\n    stays\n";
        assert_eq!(embed(template, &dir).unwrap(), expected);
        assert_eq!(embed(expected, &dir).unwrap(), expected);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
