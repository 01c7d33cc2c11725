"""What dp_accounting 0.6.0 and mpmath say that events cost.

Reads one JSON object a line: {"event", "relation", "count", "orders"} or {"rdp", "orders", "delta"}. Answers each with
one line: {"theirs", "exact"} with one value an order, or {"epsilon"}. "theirs" is the public RdpAccountant in doubles;
"exact" is the textbook formula of one event times the count, with 100 digits.
"""

import json
import sys

import dp_accounting
from dp_accounting import dp_event
from dp_accounting.rdp import rdp_privacy_accountant as rdp
from mpmath import mp, mpf

mp.dps = 100


def event_of(value):
  """Builds an event from the JSON form that has its class's name and fields."""
  if isinstance(value, list):
    return [event_of(one) for one in value]
  if not isinstance(value, dict):
    return value
  fields = {name: event_of(one) for name, one in value.items() if name not in ("class_name", "module_name")}
  # A sample of several Gaussians of which one has an integer multiplier is taken for that one alone in 0.6.0.
  if "noise_multiplier" in fields:
    fields["noise_multiplier"] = float(fields["noise_multiplier"])
  return getattr(dp_event, value["class_name"])(**fields)


def number(value):
  """The decimal that stands in the JSON, not the double next to it."""
  return mpf(repr(value)) if isinstance(value, float) else mpf(value)


def precision(event):
  """Sum of 1/sigma^2 of the Gaussians in one sample."""
  name = event["class_name"]
  if name == "GaussianDpEvent":
    return 1 / number(event["noise_multiplier"]) ** 2
  if name == "SelfComposedDpEvent":
    return event["count"] * precision(event["event"])
  return sum(precision(one) for one in event["events"])


def sampled_gaussian(event, order):
  q = number(event["sampling_probability"])
  inverse = precision(event["event"])
  total = mpf(0)
  for k in range(order + 1):
    total += mp.binomial(order, k) * (1 - q) ** (order - k) * q**k * mp.exp(inverse * k * (k - 1) / 2)
  return mp.log(total) / (order - 1)


def laplace(event, order):
  epsilon = 1 / number(event["noise_multiplier"])
  up = order / mpf(2 * order - 1) * mp.exp((order - 1) * epsilon)
  down = (order - 1) / mpf(2 * order - 1) * mp.exp(-order * epsilon)
  return mp.log(up + down) / (order - 1)


def randomized_response(event, order, relation):
  p, k = number(event["noise_parameter"]), event["num_buckets"]
  other = p / k
  truth = 1 - p + other
  if relation == "replace_one":
    moved = truth**order * other ** (1 - order) + other**order * truth ** (1 - order)
    return mp.log(moved + (k - 2) * other) / (order - 1)
  uniform = mpf(1) / k
  forth = truth**order * uniform ** (1 - order) + (k - 1) * other**order * uniform ** (1 - order)
  back = uniform**order * truth ** (1 - order) + (k - 1) * uniform**order * other ** (1 - order)
  return max(mp.log(forth), mp.log(back)) / (order - 1)


def exact(event, order, relation):
  name = event["class_name"]
  if name == "GaussianDpEvent":
    return order * precision(event) / 2
  if name == "PoissonSampledDpEvent":
    return sampled_gaussian(event, order)
  if name == "LaplaceDpEvent":
    return laplace(event, order)
  if name == "RandomizedResponseDpEvent":
    return randomized_response(event, order, relation)
  if name == "ZCDpEvent":
    return number(event["xi"]) + order * number(event["rho"])
  if name == "SingleEpochTreeAggregationDpEvent":
    depth = max(event["step_counts"]).bit_length()
    return order * depth / (2 * number(event["noise_multiplier"]) ** 2)
  raise ValueError(name)


def answer(asked):
  orders = asked["orders"]
  if "rdp" in asked:
    epsilon, _ = rdp.compute_epsilon(orders, asked["rdp"], asked["delta"])
    return {"epsilon": repr(float(epsilon))}
  event, relation, count = asked["event"], asked["relation"], asked["count"]
  accountant = rdp.RdpAccountant(orders, getattr(dp_accounting.NeighboringRelation, relation.upper()))
  accountant.compose(event_of(event), count)
  return {
      "theirs": [repr(float(one)) for one in accountant.rdp],
      "exact": [mp.nstr(count * exact(event, order, relation), 60, strip_zeros=False) for order in orders],
  }


for line in sys.stdin:
  if line.strip():
    print(json.dumps(answer(json.loads(line))))
