use proptest::{collection::vec, prelude::*, sample::Index};

/// Characters that patterns treat differently: other scripts, digits and spaces, ends of lines, and the
/// punctuation of ARNs.
const ODD: &[char] = &[
    '\0', '\n', '\r', '\t', ' ', '\u{a0}', '\u{2003}', '\u{2028}', '\u{200b}', '\u{301}', 'a', 'z', 'A', 'Z',
    '0', '9', 'é', 'ß', 'Ж', '本', 'ａ', 'Ａ', '٣', '½', 'Ⅷ', '🎞', '_', '.', ':', '/', '=', '+', '-', '@',
    '%', '"', '\\', '*', '&', '$',
];

#[derive(Clone, Debug)]
enum Change {
    Insert(Index, char),
    Replace(Index, char),
    Remove(Index),
    /// To this length: the last character repeated, or all beyond cut off.
    Resize(usize),
    /// To this length in a wider character, which tells characters from bytes.
    Widen(usize, char),
    SwapCase(Index),
    Append(&'static str),
}

fn change(edges: Vec<usize>) -> impl Strategy<Value = Change> {
    let odd = || prop_oneof![3 => proptest::sample::select(ODD), 1 => any::<char>()];
    let edge = proptest::sample::select(if edges.is_empty() { vec![0, 1] } else { edges });
    prop_oneof![
        (any::<Index>(), odd()).prop_map(|(at, c)| Change::Insert(at, c)),
        (any::<Index>(), odd()).prop_map(|(at, c)| Change::Replace(at, c)),
        any::<Index>().prop_map(Change::Remove),
        edge.clone().prop_map(Change::Resize),
        (edge, proptest::sample::select(vec!['é', '本', 'Ж', '🎞'])).prop_map(|(to, c)| Change::Widen(to, c)),
        any::<Index>().prop_map(Change::SwapCase),
        proptest::sample::select(vec!["\n", " ", "\0", "x", "/x", ":x"]).prop_map(Change::Append),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    match change {
        Change::Insert(at, c) => chars.insert(at.index(chars.len() + 1), *c),
        Change::Append(end) => chars.extend(end.chars()),
        Change::Resize(to) => {
            let last = chars.last().copied().unwrap_or('x');
            chars.resize(*to, last);
        }
        Change::Widen(to, c) => chars.resize(*to, *c),
        _ if chars.is_empty() => {}
        Change::Replace(at, c) => *at.get_mut(&mut chars) = *c,
        Change::Remove(at) => {
            chars.remove(at.index(chars.len()));
        }
        Change::SwapCase(at) => {
            let c = at.get_mut(&mut chars);
            *c = if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
        }
    }
    chars.into_iter().collect()
}

/// Valid texts, valid texts with one or two changes, and arbitrary texts.
pub fn nearly(
    valid: impl Strategy<Value = String> + 'static,
    edges: Vec<usize>,
) -> impl Strategy<Value = String> {
    let changed = (valid, vec(change(edges), 0..=2))
        .prop_map(|(text, changes)| changes.iter().fold(text, |text, change| apply(&text, change)));
    prop_oneof![9 => changed, 1 => any::<String>()]
}
