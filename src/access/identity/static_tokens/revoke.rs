//! Lists and revokes static tokens, for `tapegate token list` and `tapegate token revoke`.

use std::{collections::BTreeSet, io::ErrorKind, ops::Range, path::Path};

use toml::de::{DeTable, DeValue};

use super::{
    edit::{TokensFileError, edit},
    parse::{ListedToken, parse},
};
use crate::files;

/// Which tokens are revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// All tokens of a principal.
    Name(String),
    /// The token with this id.
    Id(String),
}

/// How many tokens an error names.
const MAX_NAMED: usize = 20;

/// Returns the tokens in the file at `path`, in its order.
///
/// # Errors
///
/// [`TokensFileError`], if the file cannot be read or is invalid.
pub fn list(path: &Path) -> Result<Vec<ListedToken>, TokensFileError> {
    let text = files::read_to_string(path).map_err(|cause| {
        let path = path.to_owned();
        match cause.kind() {
            ErrorKind::NotFound => TokensFileError::Missing { path },
            _ => TokensFileError::File { path, cause },
        }
    })?;
    listed(path, &text)
}

impl Revocation {
    /// Removes the tokens from the file at `path`, and returns them. Other lines stay as they are.
    ///
    /// # Errors
    ///
    /// [`TokensFileError`]; the file is then unchanged.
    pub fn apply(&self, path: &Path) -> Result<Vec<ListedToken>, TokensFileError> {
        edit(path, |path, text| {
            let text = text.ok_or_else(|| TokensFileError::Missing {
                path: path.to_owned(),
            })?;
            let tokens = listed(path, &text)?;
            let not_removable = || TokensFileError::NotRemovable {
                path: path.to_owned(),
            };
            let tables = tables(&text).ok_or_else(not_removable)?;
            let (mut left, mut from, mut revoked) = (String::new(), 0, Vec::new());
            for (token, table) in tokens.iter().zip(&tables) {
                if self.includes(token) {
                    left.push_str(text.get(from..table.start).ok_or_else(not_removable)?);
                    from = table.end;
                    revoked.push(token.clone());
                }
            }
            left.push_str(&text[from..]);
            if revoked.is_empty() {
                return Err(self.not_found(path, &tokens));
            }
            // Whatever the file looks like, exactly these tokens are removed.
            let others: Vec<_> = tokens.iter().filter(|token| !self.includes(token)).collect();
            let is_right = listed(path, &left).is_ok_and(|left| left.iter().eq(others));
            match is_right {
                true => Ok((left, revoked)),
                false => Err(not_removable()),
            }
        })
    }

    fn includes(&self, token: &ListedToken) -> bool {
        match self {
            Self::Name(name) => token.name == *name,
            Self::Id(id) => token.id == *id,
        }
    }

    fn not_found(&self, path: &Path, tokens: &[ListedToken]) -> TokensFileError {
        let (wanted, known): (_, BTreeSet<&str>) = match self {
            Self::Name(name) => (
                format!("the name {name:?}"),
                tokens.iter().map(|token| token.name.as_str()).collect(),
            ),
            Self::Id(id) => (
                format!("the id {id:?}"),
                tokens.iter().map(|token| token.id.as_str()).collect(),
            ),
        };
        let shown: Vec<_> = known
            .iter()
            .take(MAX_NAMED)
            .map(|known| format!("{known:?}"))
            .collect();
        let more = match known.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let known = match shown.is_empty() {
            true => "it has no tokens".to_owned(),
            false => format!("it has {}{more}", shown.join(", ")),
        };
        TokensFileError::NotFound {
            path: path.to_owned(),
            wanted,
            known,
        }
    }
}

/// The tokens of a file's text.
fn listed(path: &Path, text: &str) -> Result<Vec<ListedToken>, TokensFileError> {
    let invalid = |faults| TokensFileError::Faults {
        path: path.to_owned(),
        what: "is invalid",
        faults,
    };
    let tokens = parse(text).map_err(invalid)?;
    Ok(tokens.into_iter().map(|(listed, _)| listed).collect())
}

/// The lines of each `[[token]]`, from its header to the last line of its values. `None` if a token
/// is not written so.
fn tables(text: &str) -> Option<Vec<Range<usize>>> {
    let document = DeTable::parse(text).ok()?;
    let Some(tokens) = document.get_ref().get("token") else {
        return Some(Vec::new());
    };
    let DeValue::Array(tokens) = tokens.get_ref() else {
        return None;
    };
    let lines = tokens.iter().map(|token| {
        let DeValue::Table(values) = token.get_ref() else {
            return None;
        };
        let header = token.span().start;
        let start = text.get(..header)?.rfind('\n').map_or(0, |at| at + 1);
        let is_header = text.get(header..)?.starts_with("[[") && text.get(start..header)?.trim().is_empty();
        let last = values.values().map(|value| value.span().end).max()?;
        let mut end = text
            .get(last..)?
            .find('\n')
            .map_or(text.len(), |at| last + at + 1);
        // The empty line that separates it from the next table.
        if text.get(end..)?.starts_with('\n') {
            end += 1;
        }
        is_header.then_some(start..end)
    });
    lines.collect()
}
