//! Who uses whom, and the circles in that.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
};

/// Who uses whom, with the first place of each use.
#[derive(Default)]
pub struct Graph(BTreeMap<String, BTreeMap<String, String>>);

impl Graph {
    pub fn add(&mut self, from: &str, to: &str, at: &str) {
        self.0
            .entry(from.to_owned())
            .or_default()
            .entry(to.to_owned())
            .or_insert_with(|| at.to_owned());
    }

    /// A shortest circle through each node that is in any, each circle once.
    pub fn circles(&self) -> Vec<Circle> {
        let mut circles = BTreeMap::new();
        for start in self.0.keys() {
            if let Some(circle) = self.circle(start) {
                let nodes: BTreeSet<_> = circle.0.iter().map(|(from, ..)| from.clone()).collect();
                circles.entry(nodes).or_insert(circle);
            }
        }
        circles.into_values().collect()
    }

    /// Whether uses lead from one node to another.
    pub fn leads(&self, from: &str, to: &str) -> bool {
        self.walk(from).contains_key(to)
    }

    /// All nodes that uses lead to, each with the one before it on a shortest way.
    fn walk<'a>(&'a self, start: &'a str) -> BTreeMap<&'a str, &'a str> {
        let mut before = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for to in self.0.get(node).into_iter().flat_map(BTreeMap::keys) {
                if !before.contains_key(to.as_str()) {
                    before.insert(to.as_str(), node);
                    queue.push_back(to);
                }
            }
        }
        before
    }

    fn circle(&self, start: &str) -> Option<Circle> {
        let before = self.walk(start);
        let mut to = start;
        let mut circle = Vec::new();
        loop {
            let from = *before.get(to)?;
            circle.push((from.to_owned(), to.to_owned(), self.0[from][to].clone()));
            to = from;
            if to == start {
                circle.reverse();
                return Some(Circle(circle));
            }
        }
    }
}

/// Uses that lead back to where they begin.
pub struct Circle(Vec<(String, String, String)>);

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (from, to, at)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{from} -> {to} ({at})")?;
        }
        Ok(())
    }
}
