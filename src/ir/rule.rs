//! Rules about requests.

use crate::expr::page_condition::Condition;

/// One `http-request` rule.
#[derive(Debug, Clone)]
pub struct HttpRule {
    /// Who answers.
    pub service: Service,
    /// When; `None`: always.
    pub when: Option<Condition>,
}

/// What answers requests by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `prometheus-exporter`.
    PrometheusExporter,
}
