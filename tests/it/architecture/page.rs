//! The rules, as docs/architecture.md states them.

use std::collections::{BTreeMap, BTreeSet};

/// What the rooms, and the modules with rules of their own, may use.
#[derive(Debug)]
pub struct Rules {
    /// By room, or by folder: `upstream`, `upstream/sdk`.
    pub rows: BTreeMap<String, Row>,
    pub exceptions: Vec<Exception>,
}

#[derive(Debug)]
pub struct Row {
    pub rooms: BTreeSet<String>,
    pub crates: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Exception {
    /// The room or module.
    pub from: String,
    /// The room, module or crate that it uses though the rules forbid it.
    pub uses: String,
}

impl Rules {
    /// Reads the table below `## Rooms`, and the one below `### Exceptions` if there is any.
    pub fn parse(page: &str) -> Self {
        let mut rows = BTreeMap::new();
        for (name, cells) in table(page, "## Rooms", ["room", "holds", "uses rooms", "uses crates"]) {
            let [_, _, rooms, crates] = cells;
            let row = Row {
                rooms: quoted(rooms).collect(),
                crates: quoted(crates).collect(),
            };
            assert!(
                rows.insert(name.clone(), row).is_none(),
                "`{name}` has two rows in docs/architecture.md"
            );
        }
        assert!(!rows.is_empty(), "docs/architecture.md has no table of rooms");
        let exceptions = table(page, "### Exceptions", ["from", "uses", "reason"])
            .into_iter()
            .map(|(from, [_, uses, reason])| {
                assert!(!reason.is_empty(), "the exception of `{from}` has no reason");
                Exception {
                    from,
                    uses: quoted(uses).next().expect("an exception says what it uses"),
                }
            });
        Self {
            exceptions: exceptions.collect(),
            rows,
        }
    }

    /// The row for a module, by its folder: the longest one that fits.
    pub fn row(&self, folder: &str) -> Option<(&str, &Row)> {
        let fits = |name: &str| {
            folder
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let rows = self.rows.iter().filter(|(name, _)| fits(name));
        let (name, row) = rows.max_by_key(|(name, _)| name.len())?;
        Some((name, row))
    }

    /// Whether any row names this crate; a crate that no row names is free in every room.
    pub fn is_restricted(&self, name: &str) -> bool {
        self.rows.values().any(|row| row.allows_crate(name))
    }
}

impl Row {
    /// Whether a cell names this crate, by name or by a beginning such as `aws-*`.
    pub fn allows_crate(&self, name: &str) -> bool {
        self.crates.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(beginning) => name.starts_with(&beginning.replace('-', "_")),
            None => name == allowed.replace('-', "_"),
        })
    }
}

/// The rows of the first table below a heading: the name in the first cell, and all cells.
fn table<'a, const CELLS: usize>(
    page: &'a str,
    heading: &str,
    columns: [&str; CELLS],
) -> Vec<(String, [&'a str; CELLS])> {
    let Some((_, section)) = page.split_once(&format!("\n{heading}\n")) else {
        return Vec::new();
    };
    let lines = section.lines().take_while(|line| !line.starts_with("## "));
    let mut lines = lines
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &'a str| -> [&'a str; CELLS] {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells
            .try_into()
            .unwrap_or_else(|_| panic!("this row of docs/architecture.md has not {CELLS} cells: {line}"))
    };
    assert_eq!(
        lines.next().map(cells),
        Some(columns),
        "the table below {heading}"
    );
    lines
        .skip(1)
        .map(|line| {
            let cells = cells(line);
            let name = quoted(cells[0]).next();
            (
                name.unwrap_or_else(|| panic!("this row of docs/architecture.md names nothing: {line}")),
                cells,
            )
        })
        .collect()
}

/// The names between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}
