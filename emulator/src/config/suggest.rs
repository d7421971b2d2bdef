/// The end of a message about an unknown name: `; did you mean listen?`, or nothing if no known
/// name is similar.
pub(super) fn did_you_mean<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let likeness = |name: &str| strsim::jaro(name, unknown);
    let nearest = known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}
