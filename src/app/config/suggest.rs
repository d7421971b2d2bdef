/// Of the `known` names the one that `wrong` was probably meant to be.
pub(super) fn nearest<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let last = |path: &str| path.rsplit('.').next().map(str::to_owned);
    // A key under the wrong section is still that key.
    let same_key = |name: &str| if last(name) == last(wrong) { 1.0 } else { 0.0 };
    let likeness = |name: &str| same_key(name) + strsim::jaro(name, wrong);
    known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// The end of a fault's message that says so: `; did you mean listen?`
pub(super) fn did_you_mean<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}
