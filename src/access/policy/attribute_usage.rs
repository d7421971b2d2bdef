//! Finds out which attributes of a tape and of the context policies use. Tapes and calls that are equal in
//! these attributes get the same decision.

use std::{collections::BTreeSet, fmt::Write as _, net::IpAddr};

use cedar_policy::{
    Policy, ResourceConstraint,
    pst::{BinaryOp, Clause, EntityUID, Expr, Literal, PatternElem, Var},
};
use regex::Regex;

use super::{request::TapeView, schema::EntityType};
use crate::access::wildcard::wildcard;

/// The attributes of a tape and of the call that policies use.
#[derive(Debug, Default)]
pub(super) struct AttributeUsage {
    gateway: bool,
    pool: bool,
    status: bool,
    barcode: BarcodeUsage,
    /// The whole tape with its ARN, so that every tape needs a decision of its own.
    everything: bool,
    /// The context of the call.
    context: ContextUsage,
}

/// Which attributes of the context policies use.
#[derive(Debug, Default)]
struct ContextUsage {
    /// All of them.
    whole: bool,
    names: BTreeSet<String>,
}

/// How policies use the barcode.
#[derive(Debug, Default)]
struct BarcodeUsage {
    /// As a whole.
    whole: bool,
    /// By matching it against these patterns.
    patterns: Vec<Regex>,
    /// By comparing it with these texts.
    literals: BTreeSet<String>,
}

impl AttributeUsage {
    pub(super) fn of<'p>(policies: impl Iterator<Item = &'p Policy>) -> Self {
        let mut usage = Self::default();
        for policy in policies {
            match policy.resource_constraint() {
                ResourceConstraint::Any | ResourceConstraint::Is(_) => {}
                ResourceConstraint::Eq(uid)
                | ResourceConstraint::In(uid)
                | ResourceConstraint::IsIn(_, uid) => {
                    usage.add_comparison(uid.type_name() == EntityType::Tape.name());
                }
            }
            match policy.to_pst() {
                Ok(policy) => {
                    for Clause::When(expr) | Clause::Unless(expr) in policy.body().clauses() {
                        usage.add(expr);
                    }
                }
                Err(_) => usage.add_all(),
            }
        }
        usage
    }

    /// Whether nothing of a tape is used, so that all tapes of a scope get the same decision.
    pub(super) fn ignores_resource(&self) -> bool {
        let Self {
            gateway,
            pool,
            status,
            barcode,
            everything,
            context: _,
        } = self;
        let BarcodeUsage {
            whole,
            patterns,
            literals,
        } = barcode;
        !(*gateway || *pool || *status || *everything || *whole) && patterns.is_empty() && literals.is_empty()
    }

    /// Whether policies use this attribute of the context.
    pub(super) fn uses_context(&self, name: &str) -> bool {
        self.context.whole || self.context.names.contains(name)
    }

    /// Returns a key for caching decisions: tapes and addresses with the same key get the same one.
    pub(super) fn cache_key(&self, tape: &TapeView<'_>, address: IpAddr) -> String {
        let mut key = String::new();
        if self.uses_context("address") {
            let _ = write!(key, "{address} ");
        }
        let mut add = |part: &str| {
            // The length separates the parts unambiguously.
            let _ = write!(key, "{}:{part}", part.len());
        };
        let TapeView {
            arn,
            barcode,
            pool,
            status,
            gateway,
        } = tape;
        if self.gateway || self.everything {
            add(if gateway.is_some() { "in" } else { "" });
            add(gateway.unwrap_or_default());
        }
        if self.pool || self.everything {
            add(pool);
        }
        if self.status || self.everything {
            add(status);
        }
        if self.everything {
            add(arn);
        }
        if self.everything || self.barcode.whole {
            add(barcode);
        } else {
            for pattern in &self.barcode.patterns {
                add(if pattern.is_match(barcode) { "1" } else { "0" });
            }
            if self.barcode.literals.contains(*barcode) {
                add(barcode);
            }
        }
        key
    }

    /// Adds everything, for a policy that cannot be analysed.
    fn add_all(&mut self) {
        self.everything = true;
        self.context.whole = true;
    }

    /// Adds a comparison of the resource with an entity.
    fn add_comparison(&mut self, with_tape: bool) {
        match with_tape {
            true => self.everything = true,
            // A gateway, or a scope, which is the same for all tapes of the list.
            false => self.gateway = true,
        }
    }

    /// Adds what an expression uses.
    fn add(&mut self, expr: &Expr) {
        match expr {
            Expr::Var(Var::Resource) => self.everything = true,
            Expr::Var(Var::Context) => self.context.whole = true,
            Expr::Literal(_) | Expr::Var(_) => {}
            Expr::GetAttr { expr, attr } if is_resource(expr) => match attr.as_str() {
                "pool" => self.pool = true,
                "status" => self.status = true,
                "barcode" => self.barcode.whole = true,
                _ => self.everything = true,
            },
            Expr::GetAttr { expr, attr } if is_context(expr) => {
                self.context.names.insert(attr.to_string());
            }
            Expr::HasAttr { expr, attrs } if is_context(expr) => {
                self.context.names.insert(attrs.first().to_string());
            }
            // Always true or always false: by the schema, all tapes have the same attributes.
            Expr::HasAttr { expr, .. } if is_resource(expr) => {}
            Expr::Like { expr, pattern } if is_barcode(expr) => match regex_of(pattern) {
                Some(pattern) => self.barcode.patterns.push(pattern),
                None => self.barcode.whole = true,
            },
            Expr::BinaryOp {
                op: BinaryOp::Eq | BinaryOp::NotEq,
                left,
                right,
            } => match (&**left, &**right) {
                (barcode, Expr::Literal(Literal::String(text)))
                | (Expr::Literal(Literal::String(text)), barcode)
                    if is_barcode(barcode) =>
                {
                    self.barcode.literals.insert(text.to_string());
                }
                (resource, Expr::Literal(Literal::EntityUID(uid)))
                | (Expr::Literal(Literal::EntityUID(uid)), resource)
                    if is_resource(resource) =>
                {
                    self.add_comparison(is_tape(uid));
                }
                (left, right) => {
                    self.add(left);
                    self.add(right);
                }
            },
            Expr::BinaryOp {
                op: BinaryOp::In,
                left,
                right,
            } if is_resource(left) => self.add_ancestors(right),
            Expr::Is { expr, in_expr, .. } if is_resource(expr) => {
                if let Some(entities) = in_expr {
                    self.add_ancestors(entities);
                }
            }
            Expr::UnaryOp { expr, op: _ } => self.add(expr),
            Expr::BinaryOp { left, right, op: _ } => {
                self.add(left);
                self.add(right);
            }
            Expr::GetAttr { expr, attr: _ }
            | Expr::HasAttr { expr, attrs: _ }
            | Expr::Like { expr, pattern: _ } => self.add(expr),
            Expr::Is {
                expr,
                entity_type: _,
                in_expr,
            } => {
                self.add(expr);
                if let Some(entities) = in_expr {
                    self.add(entities);
                }
            }
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => [cond, then_expr, else_expr]
                .iter()
                .for_each(|expr| self.add(expr)),
            Expr::Set(all) => all.iter().for_each(|expr| self.add(expr)),
            Expr::Record(all) => all.values().for_each(|expr| self.add(expr)),
            Expr::Slot(_) | Expr::Unknown { .. } => self.add_all(),
            // A newer version of Cedar may have more expressions.
            _ => self.add_all(),
        }
    }

    /// Adds a test whether the resource is in these entities.
    fn add_ancestors(&mut self, entities: &Expr) {
        match entities {
            Expr::Literal(Literal::EntityUID(uid)) => self.add_comparison(is_tape(uid)),
            Expr::Set(all) => all.iter().for_each(|one| self.add_ancestors(one)),
            _ => self.add_all(),
        }
    }
}

fn is_resource(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Resource))
}

fn is_context(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Context))
}

fn is_barcode(expr: &Expr) -> bool {
    matches!(expr, Expr::GetAttr { expr, attr } if is_resource(expr) && attr == "barcode")
}

fn is_tape(uid: &EntityUID) -> bool {
    uid.ty.to_string() == EntityType::Tape.name().to_string()
}

/// Converts a pattern of Cedar to a regex.
fn regex_of(pattern: &[PatternElem]) -> Option<Regex> {
    let mut parts = vec![String::new()];
    for elem in pattern {
        match elem {
            PatternElem::Char(c) => parts.last_mut()?.push(*c),
            PatternElem::Wildcard => parts.push(String::new()),
        }
    }
    wildcard(&parts)
}
