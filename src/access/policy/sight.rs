//! What policies look at in a tape. Two tapes that look the same to them are decided alike.

use std::collections::BTreeSet;

use cedar_policy::{
    Policy, ResourceConstraint,
    pst::{BinaryOp, Clause, EntityUID, Expr, Literal, PatternElem, Var},
};
use regex::Regex;

use super::{question::Type, rows::TapeView};
use crate::access::wildcard;

/// What the policies that can apply to a caller's reading look at.
#[derive(Debug, Default)]
pub(super) struct Sight {
    gateway: bool,
    pool: bool,
    status: bool,
    barcode: Barcode,
    /// All of the tape, its ARN too: each is a case of its own.
    everything: bool,
    /// Something about the call.
    context: bool,
}

/// What is looked at in a barcode.
#[derive(Debug, Default)]
struct Barcode {
    /// All of it.
    whole: bool,
    /// Whether it matches these.
    patterns: Vec<Regex>,
    /// Whether it is one of these.
    literals: BTreeSet<String>,
}

impl Sight {
    pub(super) fn of<'p>(policies: impl Iterator<Item = &'p Policy>) -> Self {
        let mut sight = Self::default();
        for policy in policies {
            match policy.resource_constraint() {
                ResourceConstraint::Any | ResourceConstraint::Is(_) => {}
                ResourceConstraint::Eq(uid)
                | ResourceConstraint::In(uid)
                | ResourceConstraint::IsIn(_, uid) => sight.compared(uid.type_name() == Type::Tape.name()),
            }
            match policy.to_pst() {
                Ok(policy) => {
                    for Clause::When(expr) | Clause::Unless(expr) in policy.body().clauses() {
                        sight.look(expr);
                    }
                }
                // What cannot be looked into may look at anything.
                Err(_) => (sight.everything, sight.context) = (true, true),
            }
        }
        sight
    }

    /// Whether it sees nothing of a tape, so that all of a scope are decided alike.
    pub(super) fn is_blind(&self) -> bool {
        let Self {
            gateway,
            pool,
            status,
            barcode,
            everything,
            context: _,
        } = self;
        let Barcode {
            whole,
            patterns,
            literals,
        } = barcode;
        !(*gateway || *pool || *status || *everything || *whole) && patterns.is_empty() && literals.is_empty()
    }

    /// Whether it looks at something about the call.
    pub(super) fn sees_context(&self) -> bool {
        self.context
    }

    /// How a tape looks: the same text for all that are decided alike, and for no others.
    pub(super) fn look_of(&self, tape: &TapeView<'_>, look: &mut String) {
        let mut part = |text: &str| {
            // The length makes it plain where each part ends.
            look.push_str(&text.len().to_string());
            look.push(':');
            look.push_str(text);
        };
        let TapeView {
            arn,
            barcode,
            pool,
            status,
            gateway,
        } = tape;
        if self.gateway || self.everything {
            part(if gateway.is_some() { "in" } else { "" });
            part(gateway.unwrap_or_default());
        }
        if self.pool || self.everything {
            part(pool);
        }
        if self.status || self.everything {
            part(status);
        }
        if self.everything {
            part(arn);
        }
        if self.everything || self.barcode.whole {
            part(barcode);
        } else {
            for pattern in &self.barcode.patterns {
                part(if pattern.is_match(barcode) { "1" } else { "0" });
            }
            if self.barcode.literals.contains(*barcode) {
                part(barcode);
            }
        }
    }

    /// The resource is compared with an entity.
    fn compared(&mut self, with_tape: bool) {
        match with_tape {
            true => self.everything = true,
            // With a gateway, or a scope, which is the same for all.
            false => self.gateway = true,
        }
    }

    fn look(&mut self, expr: &Expr) {
        match expr {
            Expr::Var(Var::Resource) => self.everything = true,
            Expr::Var(Var::Context) => self.context = true,
            Expr::Literal(_) | Expr::Var(_) => {}
            Expr::GetAttr { expr, attr } if is_resource(expr) => match attr.as_str() {
                "pool" => self.pool = true,
                "status" => self.status = true,
                "barcode" => self.barcode.whole = true,
                _ => self.everything = true,
            },
            // The schema gives every tape the same attributes.
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
                    self.compared(is_tape(uid));
                }
                (left, right) => {
                    self.look(left);
                    self.look(right);
                }
            },
            Expr::BinaryOp {
                op: BinaryOp::In,
                left,
                right,
            } if is_resource(left) => self.look_in(right),
            Expr::Is { expr, in_expr, .. } if is_resource(expr) => {
                if let Some(entities) = in_expr {
                    self.look_in(entities);
                }
            }
            Expr::UnaryOp { expr, op: _ } => self.look(expr),
            Expr::BinaryOp { left, right, op: _ } => {
                self.look(left);
                self.look(right);
            }
            Expr::GetAttr { expr, attr: _ }
            | Expr::HasAttr { expr, attrs: _ }
            | Expr::Like { expr, pattern: _ } => self.look(expr),
            Expr::Is {
                expr,
                entity_type: _,
                in_expr,
            } => {
                self.look(expr);
                if let Some(entities) = in_expr {
                    self.look(entities);
                }
            }
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => [cond, then_expr, else_expr]
                .iter()
                .for_each(|expr| self.look(expr)),
            Expr::Set(all) => all.iter().for_each(|expr| self.look(expr)),
            Expr::Record(all) => all.values().for_each(|expr| self.look(expr)),
            Expr::Slot(_) | Expr::Unknown { .. } => (self.everything, self.context) = (true, true),
            // A newer Cedar may have more.
            _ => (self.everything, self.context) = (true, true),
        }
    }

    /// The resource may be in these.
    fn look_in(&mut self, entities: &Expr) {
        match entities {
            Expr::Literal(Literal::EntityUID(uid)) => self.compared(is_tape(uid)),
            Expr::Set(all) => all.iter().for_each(|one| self.look_in(one)),
            _ => (self.everything, self.context) = (true, true),
        }
    }
}

fn is_resource(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Resource))
}

fn is_barcode(expr: &Expr) -> bool {
    matches!(expr, Expr::GetAttr { expr, attr } if is_resource(expr) && attr == "barcode")
}

fn is_tape(uid: &EntityUID) -> bool {
    uid.ty.to_string() == Type::Tape.name().to_string()
}

/// The same as a pattern of Cedar's.
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
