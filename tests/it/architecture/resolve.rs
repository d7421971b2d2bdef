//! Which module or crate a path leads to.

use std::collections::BTreeSet;

use super::source::{Code, Names, Reference};

/// Where a path ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Module(Names),
    /// An item of a module.
    Item(Names),
    Crate(String),
}

/// The packages whose modules are read; all other crates are outside.
pub const PACKAGES: [&str; 2] = ["tapegate", "tapegate_emulator"];

pub struct Resolver<'a> {
    pub code: &'a Code,
    /// The crates that the packages depend on, as Rust writes their names.
    pub crates: &'a BTreeSet<String>,
}

impl Resolver<'_> {
    /// Where a reference leads, and the other modules whose `use` it follows on the way.
    ///
    /// What another module exports of a crate is that module's.
    pub fn resolve(&self, reference: &Reference) -> (Option<Found>, Vec<Names>) {
        let mut through = Vec::new();
        let path = Path {
            from: &reference.module,
            names: &reference.path,
            is_import: reference.is_import,
        };
        let found = self.follow(path, 16, &mut through);
        through.retain(|module| *module != reference.module);
        match (found, through.last()) {
            (Some(Found::Crate(_)), Some(module)) => (Some(Found::Item(module.clone())), through),
            (found, _) => (found, through),
        }
    }

    /// Follows a path; `depth` bounds imports that lead to each other.
    fn follow(&self, path: Path<'_>, depth: usize, through: &mut Vec<Names>) -> Option<Found> {
        let depth = depth.checked_sub(1)?;
        let mut names = path.names;
        let mut found = match names {
            [colons, name, ..] if colons == "::" => {
                names = &names[2..];
                self.outside(name)?
            }
            [first, ..] if ["crate", "self", "super"].contains(&first.as_str()) => {
                let mut module = match first.as_str() {
                    "crate" => vec![path.from[0].clone()],
                    _ => path.from.to_vec(),
                };
                while let [name, rest @ ..] = names
                    && ["crate", "self", "super"].contains(&name.as_str())
                {
                    if name == "super" {
                        module.pop();
                    }
                    names = rest;
                }
                Found::Module(module)
            }
            [first, rest @ ..] => {
                let can_be_crate = path.is_import || !rest.is_empty();
                names = rest;
                self.member(path.from, first, depth, through)
                    .or_else(|| can_be_crate.then(|| self.outside(first)).flatten())?
            }
            [] => return None,
        };
        for name in names {
            found = match found {
                Found::Module(module) => self
                    .member(&module, name, depth, through)
                    .unwrap_or(Found::Item(module)),
                end => return Some(end),
            };
        }
        Some(found)
    }

    /// What a name means in a module.
    fn member(&self, module: &[String], name: &str, depth: usize, through: &mut Vec<Names>) -> Option<Found> {
        let scope = self.code.modules.get(module)?;
        if scope.children.contains(name) {
            let path = module.iter().cloned().chain([name.to_owned()]);
            return Some(Found::Module(path.collect()));
        }
        if scope.items.contains(name) {
            return Some(Found::Item(module.to_vec()));
        }
        let path = |names| Path {
            from: module,
            names,
            is_import: true,
        };
        if let Some(target) = scope.imports.get(name)
            // `use http;` says no more than that there is a crate of this name.
            && target != &[name]
        {
            through.push(module.to_vec());
            return self.follow(path(target), depth, through);
        }
        let depth = depth.checked_sub(1)?;
        scope.globs.iter().find_map(|target| {
            let mut behind = through.clone();
            behind.push(module.to_vec());
            let Some(Found::Module(target)) = self.follow(path(target), depth, &mut behind) else {
                return None;
            };
            let found = self.member(&target, name, depth, &mut behind)?;
            *through = behind;
            Some(found)
        })
    }

    fn outside(&self, name: &str) -> Option<Found> {
        if PACKAGES.contains(&name) {
            return Some(Found::Module(vec![name.to_owned()]));
        }
        self.crates.contains(name).then(|| Found::Crate(name.to_owned()))
    }
}

/// A path, in the scope of a module.
#[derive(Clone, Copy)]
struct Path<'a> {
    from: &'a [String],
    names: &'a [String],
    is_import: bool,
}
