//! `cargo ci layers`: which file names which, read with syn, against the order of rooms in
//! `xtask/layers.toml`.
//!
//! A crate's files form rooms: a folder, or a file next to the folders. Rooms are in rows, and a
//! file may use only its own room or lower rows. Circles of files are not allowed either.
//!
//! Every path counts: `use`, `pub use`, qualified paths, `super::`, and paths inside macro calls.
//! Links in comments and test modules (`#[cfg(test)]`) do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::{TokenStream, TokenTree};
use serde::Deserialize;
use syn::visit::{self, Visit};

use crate::tally::Tally;

/// `xtask/layers.toml`
#[derive(Deserialize)]
struct Order {
    #[serde(rename = "crate")]
    crates: Vec<Crate>,
}

/// The order of one crate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crate {
    /// The folder with `lib.rs`, below the workspace.
    path: String,
    /// Rooms by their module paths (`gateway`, `log::line`), from top to bottom; those of one row
    /// do not name each other. `crate` is `lib.rs` itself. A module below a named one belongs to
    /// the longest name that fits. Empty: only circles are looked for.
    #[serde(default)]
    rows: Vec<Vec<String>>,
}

/// A module's path within its crate, without the crate's name.
type Module = Vec<String>;

/// A crate's modules and what each file names.
#[derive(Default)]
struct Graph {
    /// The file of each module; modules within a file share it.
    files: BTreeMap<Module, PathBuf>,
    /// From a file's module to the file's module that it names, with the line of the first place.
    edges: BTreeMap<(Module, Module), usize>,
}

/// The step of `cargo ci`.
pub(crate) fn check(workspace: &Path, tally: &mut Tally) -> Result<()> {
    let order = PathBuf::from("xtask/layers.toml");
    let faults = faults(workspace, &order)?;
    for fault in &faults {
        println!("{fault}");
    }
    let crates = read(workspace, &order)?.crates.len() as u64;
    if faults.is_empty() {
        tally.passed += crates;
        println!("{crates} crates: no arrow runs upwards");
        return Ok(());
    }
    bail!("{} arrows run upwards or in circles (xtask/layers.toml)", faults.len())
}

fn read(workspace: &Path, order: &Path) -> Result<Order> {
    let path = workspace.join(order);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// Each arrow that runs upwards and each circle, in words.
fn faults(workspace: &Path, order: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for of in read(workspace, order)?.crates {
        let graph = Graph::read(&workspace.join(&of.path)).with_context(|| of.path.clone())?;
        ensure!(graph.files.len() > 1, "{}: no modules", of.path);
        graph.upwards(workspace, &of, &mut faults);
        graph.circles(workspace, &mut faults);
    }
    Ok(faults)
}

impl Graph {
    fn read(source: &Path) -> Result<Self> {
        let mut graph = Self::default();
        let mut parsed = Vec::new();
        graph.file(&source.join("lib.rs"), source, Vec::new(), &mut parsed)?;
        for (module, items) in &parsed {
            let aliases = BTreeMap::new();
            let mut names = Names { graph: &mut graph, of: module.clone(), module: module.clone(), aliases };
            names.module(items);
        }
        Ok(graph)
    }

    /// Reads a file and those of the modules that it declares; `below` is the folder of the latter.
    fn file(
        &mut self,
        file: &Path,
        below: &Path,
        module: Module,
        parsed: &mut Vec<(Module, Vec<syn::Item>)>,
    ) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let syntax = syn::parse_file(&text).with_context(|| file.display().to_string())?;
        self.files.insert(module.clone(), file.to_owned());
        self.declared(&syntax.items, file, below, &module, parsed)?;
        parsed.push((module, syntax.items));
        Ok(())
    }

    fn declared(
        &mut self,
        items: &[syn::Item],
        file: &Path,
        below: &Path,
        module: &Module,
        parsed: &mut Vec<(Module, Vec<syn::Item>)>,
    ) -> Result<()> {
        for item in items {
            let syn::Item::Mod(declared) = item else { continue };
            if is_test(&declared.attrs) {
                continue;
            }
            let name = declared.ident.to_string();
            let mut path = module.clone();
            path.push(name.clone());
            let folder = below.join(&name);
            if let Some((_, items)) = &declared.content {
                self.files.insert(path.clone(), file.to_owned());
                self.declared(items, file, &folder, &path, parsed)?;
                continue;
            }
            let beside = below.join(format!("{name}.rs"));
            let file = match named_file(&declared.attrs) {
                Some(named) => file.with_file_name(named),
                None if beside.exists() => beside,
                None => folder.join("mod.rs"),
            };
            self.file(&file, &folder, path, parsed)?;
        }
        Ok(())
    }

    /// The module whose file contains this one.
    fn file_of(&self, module: &Module) -> Module {
        let file = self.files.get(module);
        let mut outer = module.clone();
        while let Some((_, parent)) = outer.split_last() {
            if self.files.get(parent) != file {
                break;
            }
            outer = parent.to_vec();
        }
        outer
    }

    fn shown(&self, workspace: &Path, module: &Module) -> String {
        let file = self.files.get(module).map(PathBuf::as_path).unwrap_or(Path::new("?"));
        file.strip_prefix(workspace).unwrap_or(file).display().to_string()
    }

    fn upwards(&self, workspace: &Path, of: &Crate, faults: &mut Vec<String>) {
        if of.rows.is_empty() {
            return;
        }
        let room = |module: &Module| {
            let name = if module.is_empty() { "crate".to_owned() } else { module.join("::") };
            let fits = |room: &&String| name == **room || name.starts_with(&format!("{room}::"));
            let rows = of.rows.iter().enumerate();
            rows.flat_map(|(row, rooms)| rooms.iter().filter(fits).map(move |room| (row, room.clone())))
                .max_by_key(|(_, room)| room.len())
        };
        for module in self.files.keys().filter(|module| room(module).is_none()) {
            faults.push(format!("{}: in no room of xtask/layers.toml", self.shown(workspace, module)));
        }
        for ((from, to), line) in &self.edges {
            let (Some(upper), Some(lower)) = (room(from), room(to)) else { continue };
            if upper != lower && upper.0 >= lower.0 {
                let (file, names) = (self.shown(workspace, from), self.shown(workspace, to));
                faults.push(format!(
                    "{file}:{line}: {} names {} ({names}), which is not below it",
                    upper.1, lower.1
                ));
            }
        }
    }

    /// Groups of files that reach each other.
    fn circles(&self, workspace: &Path, faults: &mut Vec<String>) {
        let mut reached: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
        for (from, to) in self.edges.keys() {
            reached.entry(from).or_default().insert(to);
        }
        // what is reached over any number of files
        let direct = reached.clone();
        for from in direct.keys() {
            let mut open: Vec<&Module> = reached.get(from).into_iter().flatten().copied().collect();
            let mut all = BTreeSet::new();
            while let Some(next) = open.pop() {
                if all.insert(next) {
                    open.extend(direct.get(next).into_iter().flatten());
                }
            }
            reached.insert(from, all);
        }
        let reaches = |from: &Module, to: &Module| reached.get(from).is_some_and(|all| all.contains(to));
        let mut seen = BTreeSet::new();
        for module in direct.keys().filter(|module| reaches(module, module)) {
            if !seen.insert(*module) {
                continue;
            }
            let circle: Vec<&Module> = direct
                .keys()
                .copied()
                .filter(|other| reaches(module, other) && reaches(other, module))
                .collect();
            seen.extend(circle.iter().copied());
            let mut text = format!("{} files in a circle:", circle.len());
            for ((from, to), line) in &self.edges {
                if circle.contains(&from) && circle.contains(&to) {
                    let (from, to) = (self.shown(workspace, from), self.shown(workspace, to));
                    let _infallible = write!(text, "\n  {from}:{line} names {to}");
                }
            }
            faults.push(text);
        }
    }
}

/// Collects what the items of one module name.
struct Names<'a> {
    graph: &'a mut Graph,
    /// The module of the file.
    of: Module,
    /// The module within the file.
    module: Module,
    /// Modules under the names that `use` gives them here.
    aliases: BTreeMap<String, Module>,
}

impl Names<'_> {
    fn module(&mut self, items: &[syn::Item]) {
        // names first: a path may precede the `use` that it depends on
        for item in items {
            if let syn::Item::Use(item) = item
                && !is_test(&item.attrs)
            {
                self.tree(&item.tree, &mut Vec::new());
            }
        }
        for item in items {
            self.visit_item(item);
        }
    }

    fn tree(&mut self, tree: &syn::UseTree, path: &mut Vec<(String, usize)>) {
        match tree {
            syn::UseTree::Path(inner) => {
                path.push((inner.ident.to_string(), inner.ident.span().start().line));
                self.tree(&inner.tree, path);
                path.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, path)),
            syn::UseTree::Glob(_) => self.path(path),
            syn::UseTree::Name(name) => self.imported(&name.ident, &name.ident, path),
            syn::UseTree::Rename(rename) => self.imported(&rename.ident, &rename.rename, path),
        }
    }

    fn imported(&mut self, name: &syn::Ident, here: &syn::Ident, path: &mut Vec<(String, usize)>) {
        let line = name.span().start().line;
        if name != "self" {
            path.push((name.to_string(), line));
        }
        // a module that is imported is not yet used
        match self.resolve(path) {
            Some((module, 0)) => {
                let here = if here == "self" {
                    module.last().cloned().unwrap_or_default()
                } else {
                    here.to_string()
                };
                self.aliases.insert(here, module);
            }
            _ => self.path(path),
        }
        if name != "self" {
            path.pop();
        }
    }

    /// The module that a path leads into, and how many names remain for an item of it.
    fn resolve(&self, path: &[(String, usize)]) -> Option<(Module, usize)> {
        let mut names = path.iter().map(|(name, _)| name.as_str()).peekable();
        let first = names.next()?;
        let mut module = self.module.clone();
        match first {
            "crate" => module.clear(),
            "self" => {}
            "super" => {
                module.pop()?;
                while names.peek() == Some(&"super") {
                    names.next();
                    module.pop()?;
                }
            }
            name => {
                let child: Module = module.iter().cloned().chain([name.to_owned()]).collect();
                if self.graph.files.contains_key(&child) {
                    module = child;
                } else {
                    module = self.aliases.get(name)?.clone();
                }
            }
        }
        let mut rest: Vec<&str> = names.collect();
        while let Some(next) = rest.first() {
            let child: Module = module.iter().cloned().chain([(*next).to_owned()]).collect();
            if !self.graph.files.contains_key(&child) {
                break;
            }
            module = child;
            rest.remove(0);
        }
        Some((module, rest.len()))
    }

    fn path(&mut self, path: &[(String, usize)]) {
        let Some((module, _)) = self.resolve(path) else { return };
        let (from, to) = (self.graph.file_of(&self.of), self.graph.file_of(&module));
        if from != to {
            let line = path.first().map_or(0, |(_, line)| *line);
            self.graph.edges.entry((from, to)).or_insert(line);
        }
    }

    /// Paths in what a macro is given, which syn leaves as it is.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<(String, usize)> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push((ident.to_string(), ident.span().start().line));
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    self.tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    self.end(&mut path);
                    colons = 0;
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<(String, usize)>) {
        // a single word is not a path
        if path.len() > 1 {
            self.path(path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Use(_) => {}
            syn::Item::Mod(item) => {
                let Some((_, items)) = &item.content else { return };
                if is_test(&item.attrs) {
                    return;
                }
                let outer = (self.module.clone(), std::mem::take(&mut self.aliases));
                self.module.push(item.ident.to_string());
                self.module(items);
                (self.module, self.aliases) = outer;
            }
            syn::Item::Fn(item) if is_test(&item.attrs) => {}
            syn::Item::Impl(item) if is_test(&item.attrs) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // one inside a function
        self.tree(&item.tree, &mut Vec::new());
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(in path)` names nothing
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {
        // comments with links are attributes, too
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<(String, usize)> = path
            .segments
            .iter()
            .map(|segment| (segment.ident.to_string(), segment.ident.span().start().line))
            .collect();
        if names.len() > 1 {
            self.path(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}

/// `#[cfg(test)]`, not `#[cfg(any(test, …))]`.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
            || attribute.path().is_ident("test")
    })
}

/// `#[path = "…"]`
fn named_file(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        pair.path.is_ident("path").then(|| text.value())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way in which a path can be written is found, and nothing else.
    #[test]
    fn arrows_upwards_and_circles_are_found() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/layers");
        let faults = faults(&fixture, Path::new("layers.toml")).unwrap();
        let upwards = |name: &str, line: u32| {
            format!("src/low/{name}.rs:{line}: low names top (src/top.rs), which is not below it")
        };
        let expected = [
            upwards("by_alias", 2),
            upwards("by_macro", 2),
            upwards("by_qualified", 2),
            upwards("by_super", 1),
            upwards("by_use", 1),
            "2 files in a circle:\n  src/loops/a.rs:2 names src/loops/b.rs\n  src/loops/b.rs:3 names src/loops/a.rs"
                .to_owned(),
        ];
        assert_eq!(faults, expected);
    }
}
