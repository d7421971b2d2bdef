use regex::Regex;

/// Returns a regex for texts that consist of these parts, with any characters between them.
/// `None` if the parts are too long for a regex.
pub(super) fn wildcard<S: AsRef<str>>(parts: &[S]) -> Option<Regex> {
    let parts: Vec<_> = parts.iter().map(|part| regex::escape(part.as_ref())).collect();
    Regex::new(&format!(r"(?s)\A{}\z", parts.join(".*"))).ok()
}
