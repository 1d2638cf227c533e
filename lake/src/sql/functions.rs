//! Aggregates that people know from Athena and DataFusion spells otherwise. Each is rewritten into what
//! DataFusion has, so that it is as fast as that:
//!
//! | Athena | here |
//! |---|---|
//! | `min_by(x, y)` | `first_value(x order by y) filter (where y is not null)` |
//! | `max_by(x, y)` | `first_value(x order by y desc) filter (where y is not null)` |
//! | `count_if(b)` | `count(1) filter (where b)` |
//! | `approx_percentile(x, p)` | `approx_percentile_cont(x, p)` |
//! | `arbitrary(x)` | `any_value(x)` |

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::functions_aggregate::approx_percentile_cont::approx_percentile_cont_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility, lit};

/// Adds the functions to a session.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for rewrite in [Rewrite::MinBy, Rewrite::MaxBy, Rewrite::CountIf] {
        state.register_udaf(Arc::new(AggregateUDF::new_from_impl(Rewritten::new(rewrite))))?;
    }
    let percentile = approx_percentile_cont_udaf().as_ref().clone();
    state.register_udaf(Arc::new(percentile.with_aliases(["approx_percentile"])))?;
    if let Ok(any_value) = state.udaf("any_value") {
        let any_value = any_value.as_ref().clone();
        state.register_udaf(Arc::new(any_value.with_aliases(["arbitrary"])))?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Rewrite {
    MinBy,
    MaxBy,
    CountIf,
}

/// A name and a signature; it never runs, for the planner rewrites it first.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Rewritten {
    rewrite: Rewrite,
    signature: Signature,
}

impl Rewritten {
    fn new(rewrite: Rewrite) -> Rewritten {
        let signature = match rewrite {
            Rewrite::MinBy | Rewrite::MaxBy => Signature::any(2, Volatility::Immutable),
            Rewrite::CountIf => Signature::exact(vec![DataType::Boolean], Volatility::Immutable),
        };
        Rewritten { rewrite, signature }
    }
}

impl AggregateUDFImpl for Rewritten {
    fn name(&self) -> &str {
        match self.rewrite {
            Rewrite::MinBy => "min_by",
            Rewrite::MaxBy => "max_by",
            Rewrite::CountIf => "count_if",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match (self.rewrite, arguments) {
            (Rewrite::CountIf, _) => Ok(DataType::Int64),
            (_, [value, ..]) => Ok(value.clone()),
            _ => internal_err!("{} without arguments", self.name()),
        }
    }

    fn is_nullable(&self) -> bool {
        self.rewrite != Rewrite::CountIf
    }

    fn accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        internal_err!("{} should have been rewritten", self.name())
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let rewrite = self.rewrite;
        Some(Box::new(move |call: AggregateFunction, _context| {
            simplified(rewrite, call)
        }))
    }
}

fn simplified(rewrite: Rewrite, call: AggregateFunction) -> Result<Expr> {
    let mut arguments = call.params.args.into_iter();
    let (first, second) = (arguments.next(), arguments.next());
    let filtered = |condition: Expr| {
        let given = call.params.filter.map(|filter| *filter);
        Some(Box::new(match given {
            Some(given) => given.and(condition),
            None => condition,
        }))
    };
    let (function, arguments, filter, order) = match (rewrite, first, second) {
        (Rewrite::CountIf, Some(condition), _) => (count_udaf(), vec![lit(1_i64)], filtered(condition), vec![]),
        (Rewrite::MinBy | Rewrite::MaxBy, Some(value), Some(by)) => {
            let order = Sort::new(by.clone(), rewrite == Rewrite::MinBy, false);
            let filter = filtered(by.is_not_null());
            (first_value_udaf(), vec![value], filter, vec![order])
        }
        _ => return internal_err!("{rewrite:?} without its arguments"),
    };
    Ok(Expr::AggregateFunction(AggregateFunction::new_udf(
        function, arguments, false, filter, order, None,
    )))
}
