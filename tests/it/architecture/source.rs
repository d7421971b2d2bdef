//! The source text as modules: what each declares, imports and names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, File, ImplItemFn, Item, ItemMod, ItemUse, LitStr, Macro, Meta, UseTree, VisRestricted,
    Visibility,
    visit::{self, Visit},
};

/// The names of a path. The first is the package for the path of a module, and what the text says for
/// the path of a reference: `crate`, `super`, a name, or `::` before the name of a crate.
pub type Names = Vec<String>;

/// The text of every file, by its path from the root of the repository.
#[derive(Clone)]
pub struct Sources {
    pub files: BTreeMap<String, String>,
    /// What `build.rs` generates, by the name that `include_proto!` includes it by.
    pub generated: BTreeMap<String, String>,
}

impl Sources {
    /// The packages of the workspace that make up the program.
    pub fn of_repository() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = BTreeMap::new();
        for folder in ["src", "emulator/src"] {
            read_folder(root, folder, &mut files);
        }
        let mut generated = BTreeMap::new();
        for entry in fs::read_dir(env!("OUT_DIR")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                generated.insert(name, fs::read_to_string(path).unwrap());
            }
        }
        Self { files, generated }
    }

    pub fn parse(&self) -> Code {
        let mut code = Code::default();
        let program = self.modules_of_program();
        for (path, text) in &self.files {
            let mut module = module_of(path);
            if module.get(1).is_some_and(|name| program.contains(name)) {
                "main".clone_into(&mut module[0]);
            }
            code.declare(&module);
            let mut reader = Reader {
                code: &mut code,
                generated: &self.generated,
                file: path.clone(),
                module,
                is_test: false,
            };
            reader.visit_file(&parse(path, text));
        }
        code.mark_tests();
        code
    }

    /// The modules that `src/main.rs` declares; all others in `src/` are the library's.
    fn modules_of_program(&self) -> BTreeSet<String> {
        const MAIN: &str = "src/main.rs";
        let Some(text) = self.files.get(MAIN) else {
            return BTreeSet::new();
        };
        let items = parse(MAIN, text).items.into_iter();
        items
            .filter_map(|item| match item {
                Item::Mod(module) => Some(module.ident.to_string()),
                _ => None,
            })
            .collect()
    }
}

/// Reads all Rust files below `folder`, if there is such a folder.
fn read_folder(root: &Path, folder: &str, files: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_folder(root, &path, files);
        } else if path.ends_with(".rs") {
            files.insert(path, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

fn parse(path: &str, text: &str) -> File {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{path}:{}: {error}", error.span().start().line))
}

/// The module that a file is: `src/grpc/tls.rs` is `tapegate::grpc::tls`.
fn module_of(path: &str) -> Names {
    let (package, path) = match path.strip_prefix("emulator/src/") {
        Some(path) => ("tapegate_emulator", path),
        None => ("tapegate", path.strip_prefix("src/").unwrap()),
    };
    let names = path.strip_suffix(".rs").unwrap();
    match (package, names) {
        (_, "lib") => vec![package.to_owned()],
        ("tapegate", "main") => vec!["main".to_owned()],
        _ => [package]
            .into_iter()
            .chain(names.split('/').filter(|name| *name != "mod"))
            .map(str::to_owned)
            .collect(),
    }
}

/// All modules, and all that they name.
#[derive(Default)]
pub struct Code {
    pub modules: BTreeMap<Names, Module>,
    pub references: Vec<Reference>,
}

/// What is in the scope of a module.
#[derive(Default)]
pub struct Module {
    pub children: BTreeSet<String>,
    /// The paths that `use` gives a name.
    pub imports: BTreeMap<String, Names>,
    pub globs: Vec<Names>,
    pub items: BTreeSet<String>,
    is_test: bool,
}

/// A path in the text.
pub struct Reference {
    pub file: String,
    pub line: usize,
    /// The module that it stands in.
    pub module: Names,
    pub path: Names,
    /// It stands in a `use`, where the first name can be a crate.
    pub is_import: bool,
    /// It stands in a `use` that is visible outside of the module.
    pub is_export: bool,
    /// It is compiled for tests only.
    pub is_test: bool,
}

impl Reference {
    /// Its file and line.
    pub fn at(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl Code {
    /// Enters a module with its name in the parent.
    fn declare(&mut self, module: &[String]) -> &mut Module {
        if let [parent @ .., name] = module
            && !parent.is_empty()
        {
            self.modules
                .entry(parent.to_vec())
                .or_default()
                .children
                .insert(name.clone());
        }
        self.modules.entry(module.to_vec()).or_default()
    }

    /// A file of a module that its parent declares with `#[cfg(test)]` does not say so itself.
    fn mark_tests(&mut self) {
        let modules = &self.modules;
        for reference in &mut self.references {
            let path = &reference.module;
            reference.is_test |= (1..=path.len())
                .any(|length| modules.get(&path[..length]).is_some_and(|module| module.is_test));
        }
    }
}

/// Reads one file into the code.
struct Reader<'a> {
    code: &'a mut Code,
    generated: &'a BTreeMap<String, String>,
    file: String,
    module: Names,
    is_test: bool,
}

impl Reader<'_> {
    fn scope(&mut self) -> &mut Module {
        self.code.modules.entry(self.module.clone()).or_default()
    }

    fn refer(&mut self, path: Names, span: Span) {
        self.code.references.push(Reference {
            file: self.file.clone(),
            line: span.start().line,
            module: self.module.clone(),
            path,
            is_import: false,
            is_export: false,
            is_test: self.is_test,
        });
    }

    fn import(&mut self, tree: &UseTree, prefix: &[String], is_export: bool) {
        let joined = |name: String| prefix.iter().cloned().chain([name]).collect::<Names>();
        let (path, name, span) = match tree {
            UseTree::Path(path) => {
                return self.import(&path.tree, &joined(path.ident.to_string()), is_export);
            }
            UseTree::Group(group) => {
                return group
                    .items
                    .iter()
                    .for_each(|tree| self.import(tree, prefix, is_export));
            }
            UseTree::Glob(glob) => {
                self.scope().globs.push(prefix.to_vec());
                (prefix.to_vec(), None, glob.star_token.spans[0])
            }
            UseTree::Name(name) if name.ident == "self" => {
                (prefix.to_vec(), prefix.last().cloned(), name.ident.span())
            }
            UseTree::Name(name) => {
                let text = name.ident.to_string();
                (joined(text.clone()), Some(text), name.ident.span())
            }
            UseTree::Rename(rename) => {
                let path = match rename.ident == "self" {
                    true => prefix.to_vec(),
                    false => joined(rename.ident.to_string()),
                };
                (path, Some(rename.rename.to_string()), rename.ident.span())
            }
        };
        if let Some(name) = name {
            self.scope().imports.insert(name, path.clone());
        }
        self.refer(path, span);
        let reference = self.code.references.last_mut().unwrap();
        reference.is_import = true;
        reference.is_export = is_export;
    }

    /// Paths in the tokens of a macro call or an attribute, which are not parsed any further.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Names = Vec::new();
        let mut start = Span::call_site();
        let mut colons = 0;
        // A name after a dot is a field or a method, and one after `>::` belongs to a type.
        let mut is_member = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Ident(ident) => {
                    self.end(&mut path, start);
                    if !is_member && colons != 2 {
                        path.push(ident.to_string());
                    }
                    (start, colons, is_member) = (ident.span(), 0, false);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut path, start);
                    colons = 0;
                    is_member = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        self.end(&mut path, start);
    }

    /// A name alone is a variable or a keyword as well as a path.
    fn end(&mut self, path: &mut Names, start: Span) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.refer(path, start);
        }
    }

    fn within(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.is_test;
        self.is_test |= is_for_tests(attributes);
        visit(self);
        self.is_test = before;
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (name, attributes) = match item {
            Item::Const(item) => (Some(&item.ident), &item.attrs),
            Item::Enum(item) => (Some(&item.ident), &item.attrs),
            Item::Fn(item) => (Some(&item.sig.ident), &item.attrs),
            Item::Macro(item) => (item.ident.as_ref(), &item.attrs),
            Item::Static(item) => (Some(&item.ident), &item.attrs),
            Item::Struct(item) => (Some(&item.ident), &item.attrs),
            Item::Trait(item) => (Some(&item.ident), &item.attrs),
            Item::Type(item) => (Some(&item.ident), &item.attrs),
            Item::Impl(item) => (None, &item.attrs),
            Item::Mod(item) => (None, &item.attrs),
            Item::Use(item) => (None, &item.attrs),
            _ => return visit::visit_item(self, item),
        };
        if let Some(name) = name {
            self.scope().items.insert(name.to_string());
        }
        self.within(attributes, |reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.within(&item.attrs, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        let is_test = self.is_test;
        self.code.declare(&self.module).is_test |= is_test;
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let prefix = match item.leading_colon {
            Some(_) => vec!["::".to_owned()],
            None => Vec::new(),
        };
        self.import(&item.tree, &prefix, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let colon = path.leading_colon.map(|_| "::".to_owned());
        let names = path.segments.iter().map(|segment| segment.ident.to_string());
        if let Some(first) = path.segments.first() {
            self.refer(colon.into_iter().chain(names).collect(), first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        visit::visit_attribute(self, attribute);
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit::visit_macro(self, call);
        self.scan(call.tokens.clone());
        let is_include = call
            .path
            .segments
            .last()
            .is_some_and(|name| name.ident == "include_proto");
        if is_include {
            let name = call.parse_body::<LitStr>().unwrap().value();
            let text = &self.generated[&name];
            let file = format!("{name}.rs (generated by build.rs)");
            let before = std::mem::replace(&mut self.file, file);
            let parsed = parse(&self.file, text);
            self.visit_file(&parsed);
            self.file = before;
        }
    }

    /// A visibility says who may use the item, and uses nothing itself.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

/// `#[cfg(test)]`, or an attribute that makes a test.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        meta => meta
            .path()
            .segments
            .last()
            .is_some_and(|name| name.ident == "test"),
    })
}
