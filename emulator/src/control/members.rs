use std::fmt;

use serde_json::{Map, Value};

/// The members of a JSON object, read one by one. Whatever is wrong with any is kept, and
/// so is every member that nobody asked for.
pub(crate) struct Members {
    path: String,
    left: Map<String, Value>,
    known: Vec<&'static str>,
    wrong: Vec<Wrong>,
}

/// One thing wrong with a JSON document: where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    path: String,
    message: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl Wrong {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl Members {
    /// What `read` makes of the object at `path`, or everything wrong with it.
    pub(crate) fn read<T>(
        value: Value,
        path: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, Vec<Wrong>> {
        let mut members = Self::of(value, path).map_err(|wrong| vec![wrong])?;
        let found = read(&mut members);
        members.finish(found)
    }

    /// The members of the object at `path`, the empty path being the whole document.
    pub(crate) fn of(value: Value, path: impl Into<String>) -> Result<Self, Wrong> {
        let path = path.into();
        match value {
            Value::Object(left) => Ok(Self {
                path,
                left,
                known: Vec::new(),
                wrong: Vec::new(),
            }),
            other => Err(Wrong::new(path, format!("{other} is wrong; it takes an object"))),
        }
    }

    /// The value of a member, by what `read` makes of it; `takes` says what would be right.
    /// `None` for a member that is absent, null, or wrong.
    pub(crate) fn get<T>(
        &mut self,
        name: &'static str,
        takes: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        self.known.push(name);
        let value = self.left.remove(name).filter(|value| !value.is_null())?;
        let read = read(&value);
        if read.is_none() {
            self.fault(name, format!("{value} is wrong; it takes {takes}"));
        }
        read
    }

    /// A member that has to be there.
    pub(crate) fn require<T>(
        &mut self,
        name: &'static str,
        takes: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        if self.left.get(name).is_none_or(Value::is_null) {
            self.known.push(name);
            self.left.remove(name);
            self.fault(name, format!("is missing; it takes {takes}"));
            return None;
        }
        self.get(name, takes, read)
    }

    /// Notes what is wrong with a member, or with the whole object where `name` is empty.
    pub(crate) fn fault(&mut self, name: &str, message: impl Into<String>) {
        let dot = if self.path.is_empty() || name.is_empty() {
            ""
        } else {
            "."
        };
        let path = format!("{}{dot}{name}", self.path);
        self.wrong.push(Wrong {
            path,
            message: message.into(),
        });
    }

    /// Lets members pass that nobody asked for.
    pub(crate) fn forget_the_rest(&mut self) {
        self.left.clear();
    }

    /// What was read, or everything wrong, members that nobody asked for among it.
    pub(crate) fn finish<T>(mut self, read: Option<T>) -> Result<T, Vec<Wrong>> {
        let known = self.known.join(", ");
        for name in std::mem::take(&mut self.left).keys() {
            self.fault(name, format!("is unknown here; known are {known}"));
        }
        match read {
            Some(read) if self.wrong.is_empty() => Ok(read),
            _ => Err(self.wrong),
        }
    }
}
