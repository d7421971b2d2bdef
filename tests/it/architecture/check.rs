//! Compares the code with the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    graph::Graph,
    page::Rules,
    resolve::{Found, Resolver},
    source::{Code, Reference},
};

/// A module's place: its room, the module of the room, and the whole path below the room.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    room: String,
    module: Option<String>,
    folder: String,
}

impl Place {
    /// The place of a module, if it is in a room.
    fn of(path: &[String]) -> Option<Self> {
        let (room, below) = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["main", ..] => ("main", &path[1..]),
            ["tapegate_emulator", ..] => ("emulator", &path[1..]),
            [_, room, ..] => (room, &path[2..]),
            // src/lib.rs declares the rooms, and holds nothing else.
            _ => return None,
        };
        let names = [room].into_iter().chain(below.iter().map(String::as_str));
        Some(Self {
            room: room.to_owned(),
            module: below.first().cloned(),
            folder: names.collect::<Vec<_>>().join("/"),
        })
    }

    /// Its name in a circle: the module, or the room's own file.
    fn node(&self) -> String {
        self.module.clone().unwrap_or_else(|| format!("{}.rs", self.room))
    }
}

/// Compares the code with the rules: one line for each fault, in order.
pub fn faults(rules: &Rules, code: &Code, crates: &BTreeSet<String>) -> Vec<String> {
    let mut check = Check::new(rules, Resolver { code, crates });
    for reference in &code.references {
        check.look_at(reference);
    }
    let mut faults = rows(rules, code, crates);
    faults.extend(check.faults());
    faults
}

/// What the references break, and who uses whom.
struct Check<'a> {
    rules: &'a Rules,
    resolver: Resolver<'a>,
    /// The lines of each breach, by file, row of the table, and what is used.
    breaches: BTreeMap<(&'a str, &'a str, String), BTreeSet<usize>>,
    rooms: Graph,
    /// By room.
    modules: BTreeMap<String, Graph>,
    /// The exceptions without which there would be a breach.
    needed: BTreeSet<usize>,
    /// Uses between two modules that an exception allows: the room, the modules, the exception.
    excepted: BTreeSet<(String, String, String, usize)>,
}

impl<'a> Check<'a> {
    fn new(rules: &'a Rules, resolver: Resolver<'a>) -> Self {
        Self {
            rules,
            resolver,
            breaches: BTreeMap::new(),
            rooms: Graph::default(),
            modules: BTreeMap::new(),
            needed: BTreeSet::new(),
            excepted: BTreeSet::new(),
        }
    }

    fn look_at(&mut self, reference: &'a Reference) {
        let Some(from) = Place::of(&reference.module) else {
            return;
        };
        let Some((name, row)) = self.rules.row(&from.folder) else {
            return;
        };
        let (end, through) = self.resolver.resolve(reference);
        let end = match end {
            Some(Found::Crate(outside)) => {
                let is_free = reference.is_test || !self.rules.is_restricted(&outside);
                if !is_free && !row.allows_crate(&outside) {
                    self.breach(reference, name, &from, &outside, &outside);
                }
                return;
            }
            // A variable with the name of a module: a module alone is no value and no type.
            Some(Found::Module(_)) if !reference.is_import && reference.path.len() == 1 => return,
            Some(Found::Module(path) | Found::Item(path)) => Place::of(&path),
            None => None,
        };
        // What the file of a room exports is not its own.
        let through = through
            .iter()
            .filter_map(|path| Place::of(path))
            .filter(|to| to.room != from.room || to.module.is_some());
        for to in through.chain(end) {
            if to.room != from.room {
                if !row.rooms.contains(&to.room) {
                    self.breach(reference, name, &from, &to.folder, &to.room);
                }
                self.rooms.add(&from.room, &to.room, &reference.at());
            } else if to.module != from.module && !(from.module.is_none() && reference.is_export) {
                self.uses_module(reference, &from, &to);
            }
        }
    }

    fn breach(&mut self, reference: &'a Reference, row: &'a str, from: &Place, folder: &str, used: &str) {
        if let Some(exception) = self.exception(from, folder) {
            self.needed.insert(exception);
            return;
        }
        let key = (reference.file.as_str(), row, used.to_owned());
        self.breaches.entry(key).or_default().insert(reference.line);
    }

    fn uses_module(&mut self, reference: &Reference, from: &Place, to: &Place) {
        let (room, nodes) = (from.room.clone(), (from.node(), to.node()));
        match self.exception(from, &to.folder) {
            Some(exception) => drop(self.excepted.replace((room, nodes.0, nodes.1, exception))),
            None => {
                let graph = self.modules.entry(room).or_default();
                graph.add(&nodes.0, &nodes.1, &reference.at());
            }
        }
    }

    fn exception(&self, from: &Place, used: &str) -> Option<usize> {
        self.rules.exceptions.iter().position(|exception| {
            is_within(&from.folder, &exception.from) && is_within(used, &exception.uses)
        })
    }

    fn faults(mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for ((file, row, used), lines) in self.breaches {
            let lines: Vec<_> = lines.into_iter().collect();
            let also = match &lines[1..] {
                [] => String::new(),
                more => format!(" (also lines {more:?})"),
            };
            faults.push(format!(
                "{file}:{}: room `{row}` uses `{used}`, which the table in docs/architecture.md does not allow{also}",
                lines[0]
            ));
        }
        let circles = self.rooms.circles();
        faults.extend(
            circles
                .iter()
                .map(|circle| format!("rooms use each other: {circle}")),
        );
        for (room, graph) in &self.modules {
            let circles = graph.circles();
            faults.extend(
                circles
                    .iter()
                    .map(|circle| format!("modules of `{room}` use each other: {circle}")),
            );
        }
        for (room, from, to, exception) in self.excepted {
            if self
                .modules
                .get(&room)
                .is_some_and(|graph| graph.leads(&to, &from))
            {
                self.needed.insert(exception);
            }
        }
        for (index, exception) in self.rules.exceptions.iter().enumerate() {
            if !self.needed.contains(&index) {
                faults.push(format!(
                    "docs/architecture.md: the exception of `{}` for `{}` is not needed: remove it",
                    exception.from, exception.uses
                ));
            }
        }
        faults
    }
}

fn is_within(folder: &str, of: &str) -> bool {
    folder
        .strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Checks that the table has a row for each room, and names only what there is.
fn rows(rules: &Rules, code: &Code, crates: &BTreeSet<String>) -> Vec<String> {
    let places: Vec<_> = code.modules.keys().filter_map(|path| Place::of(path)).collect();
    let rooms: BTreeSet<_> = places.iter().map(|place| place.room.as_str()).collect();
    let mut faults = Vec::new();
    for room in &rooms {
        if !rules.rows.contains_key(*room) {
            faults.push(format!(
                "docs/architecture.md: the table of rooms has no row for `{room}`"
            ));
        }
    }
    for (name, row) in &rules.rows {
        if !places.iter().any(|place| place.folder == *name) {
            faults.push(format!(
                "docs/architecture.md: there is no room or module `{name}`"
            ));
        }
        for room in &row.rooms {
            if !rules.rows.contains_key(room) {
                faults.push(format!(
                    "docs/architecture.md: `{name}` may use `{room}`, which is no room"
                ));
            }
        }
        for allowed in &row.crates {
            let one = super::page::Row {
                rooms: BTreeSet::new(),
                crates: [allowed.clone()].into(),
            };
            if !crates.iter().any(|name| one.allows_crate(name)) {
                faults.push(format!(
                    "docs/architecture.md: `{name}` may use `{allowed}`, which is no dependency"
                ));
            }
        }
    }
    let mut table = Graph::default();
    for (name, row) in &rules.rows {
        let room = name.split('/').next().unwrap();
        for to in row.rooms.iter().filter(|to| *to != room) {
            table.add(room, to, "the table");
        }
    }
    faults.extend(
        table
            .circles()
            .iter()
            .map(|circle| format!("docs/architecture.md: rooms may use each other: {circle}")),
    );
    faults
}
