#include "layers/low_rank.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <vector>

#include "core/profile.h"
#include "ops/product.h"

namespace st {

namespace {

// Parts of A that read the same input.
struct Inputs {
  int64_t first, rank;  // rows of A
  Dropout dropout;
};

std::vector<Inputs> inputs_of(const Pass& pass, const LowRank& low) {
  const auto dropout_of = [&](const LowRank::Part& part) { return pass.dropout_at(part.site, low.dropout); };
  if (low.parts.size() == 1 || !dropout_of(low.parts[0]).active()) {
    return {{0, low.rank, dropout_of(low.parts[0])}};
  }
  std::vector<Inputs> out;
  for (const LowRank::Part& part : low.parts) out.push_back({part.first, part.rank, dropout_of(part)});
  return out;
}

at::Tensor dropped(const Pass& pass, const Dropout& dropout, const at::Tensor& x_TI) {
  if (!dropout.active()) return x_TI;
  at::Tensor out_TI = pass.take(x_TI.size(1)).copy_(x_TI);
  drop(pass.input, dropout, out_TI);
  return out_TI;
}

at::Tensor take_inner(const Pass& pass, const LowRank& low) {
  return pass.take(low.rank, pass.master());
}

// scale A, of each part.
at::Tensor scaled_a(const Pass& pass, const LowRank& low) {
  const at::Tensor& a_RI = pass.parameters.value(low.a);
  const auto is_scaled = [](const LowRank::Part& part) { return part.scale != 1; };
  if (std::none_of(low.parts.begin(), low.parts.end(), is_scaled)) return a_RI;
  at::Tensor out_RI = a_RI.clone();
  for (const LowRank::Part& part : low.parts) out_RI.narrow(0, part.first, part.rank).mul_(part.scale);
  return out_RI;
}

void scale(const LowRank& low, const at::Tensor& inner_TR) {
  for (const LowRank::Part& part : low.parts) {
    if (part.scale != 1) inner_TR.narrow(1, part.first, part.rank).mul_(part.scale);
  }
}

// The four products with a narrow side. `inner` is in the master dtype, and x and y in the compute dtype. Where these
// differ, products of bfloat16 read whole tiles: what is beyond the rank is 0.
int64_t padded(int64_t rank) {
  constexpr int64_t kTile = 32;
  return (rank + kTile - 1) / kTile * kTile;
}

bool is_exact(const Pass& pass) {
  return pass.compute() == pass.master();
}

at::Tensor padded_columns(const Pass& pass, const at::Tensor& inner_TR) {
  const int64_t rank = inner_TR.size(1);
  at::Tensor out_TR = pass.take(padded(rank)).zero_();
  out_TR.narrow(1, 0, rank).copy_(inner_TR);
  return out_TR;
}

// inner := x a'
void multiply_by_a(const Pass& pass, const at::Tensor& x_TI, const at::Tensor& a_RI, at::Tensor inner_TR) {
  if (is_exact(pass)) return product::add_narrow(x_TI, a_RI.t(), inner_TR);
  const Scratch scratch(pass.workspace);
  const int64_t rank = a_RI.size(0);
  at::Tensor all_RI = pass.workspace.take({padded(rank), a_RI.size(1)}, pass.compute()).zero_();
  all_RI.narrow(0, 0, rank).copy_(a_RI);
  const at::Tensor all_TR = pass.take(padded(rank));
  linear(x_TI, {all_RI, nullptr, pass.workspace}, {}, all_TR);
  inner_TR.copy_(all_TR.narrow(1, 0, rank));
}

// d_inner := d_y B, which is not scaled yet.
void multiply_by_b(const Pass& pass, const LowRank& low, const at::Tensor& d_y_TO, at::Tensor d_inner_TR) {
  if (is_exact(pass)) {
    for (const LowRank::Part& part : low.parts) {
      product::add_narrow(d_y_TO.narrow(1, part.row, part.rows), pass.parameters.value(part.b),
                          d_inner_TR.narrow(1, part.first, part.rank));
    }
    return;
  }
  const Scratch scratch(pass.workspace);
  at::Tensor b_OR = pass.workspace.take({d_y_TO.size(1), padded(low.rank)}, pass.compute()).zero_();
  for (const LowRank::Part& part : low.parts) {
    b_OR.narrow(0, part.row, part.rows).narrow(1, part.first, part.rank).copy_(pass.parameters.value(part.b));
  }
  const at::Tensor all_TR = pass.take(padded(low.rank));
  linear_backward_input(d_y_TO, {b_OR, nullptr, pass.workspace}, all_TR, false);
  d_inner_TR.copy_(all_TR.narrow(1, 0, low.rank));
}

// d_a += d_inner' x
void add_gradient_of_a(const Pass& pass, const at::Tensor& d_inner_TR, const at::Tensor& x_TI, at::Tensor d_a_RI) {
  if (is_exact(pass)) return product::add_narrow(d_inner_TR.t(), x_TI, d_a_RI);
  const Scratch scratch(pass.workspace);
  const int64_t rank = d_a_RI.size(0);
  at::Tensor all_RI = pass.workspace.take({padded(rank), x_TI.size(1)}, pass.master()).zero_();
  linear_backward_weight(padded_columns(pass, d_inner_TR), x_TI, all_RI, pass.workspace);
  d_a_RI.add_(all_RI.narrow(0, 0, rank));
}

// d_B += d_y' inner, of each part.
void add_gradients_of_b(const Pass& pass, const LowRank& low, const at::Tensor& d_y_TO, const at::Tensor& inner_TR,
                        Gradients& gradients) {
  const Scratch scratch(pass.workspace);
  if (is_exact(pass)) {
    for (const LowRank::Part& part : low.parts) {
      // Transposed, because rows of d_y are read faster than columns.
      const at::Tensor d_b_RO = pass.workspace.take({part.rank, part.rows}, pass.master()).zero_();
      product::add_narrow(inner_TR.narrow(1, part.first, part.rank).t(), d_y_TO.narrow(1, part.row, part.rows), d_b_RO);
      gradients[part.b].add_(d_b_RO.t());
    }
    return;
  }
  at::Tensor all_OR = pass.workspace.take({d_y_TO.size(1), padded(low.rank)}, pass.master()).zero_();
  linear_backward_weight(d_y_TO, padded_columns(pass, inner_TR), all_OR, pass.workspace);
  for (const LowRank::Part& part : low.parts) {
    gradients[part.b].add_(all_OR.narrow(0, part.row, part.rows).narrow(1, part.first, part.rank));
  }
}

at::Tensor in_master(const Pass& pass, ParamId id) {
  return pass.parameters.value(id).to(pass.master());
}

}  // namespace

bool is_made_in_products(const Pass& pass, const LowRank& low) {
  return is_exact(pass) && !pass.dropout_at(low.parts[0].site, low.dropout).active();
}

at::Tensor keep_low_rank(const Pass& pass, const LowRank& low) {
  const bool trained = pass.training && !pass.parameters.freezes(low.a);
  return trained ? take_inner(pass, low) : at::Tensor();
}

Addend low_rank_forward(const Pass& pass, const LowRank& low, const at::Tensor& x_TI, const at::Tensor& kept_TR) {
  const ProfileScope scope("adapter");
  const at::Tensor& a_RI = pass.parameters.value(low.a);
  const at::Tensor inner_TR = kept_TR.defined() ? kept_TR : take_inner(pass, low);
  inner_TR.zero_();
  Addend out{.inner_TR = inner_TR};
  for (const LowRank::Part& part : low.parts) {
    out.factors.push_back({part.first, part.row, in_master(pass, part.b).t()});
  }
  if (is_made_in_products(pass, low)) {
    out.sources.push_back({0, 0, scaled_a(pass, low).t()});
    return out;
  }
  for (const Inputs& inputs : inputs_of(pass, low)) {
    const Scratch scratch(pass.workspace);
    multiply_by_a(pass, dropped(pass, inputs.dropout, x_TI), a_RI.narrow(0, inputs.first, inputs.rank),
                  inner_TR.narrow(1, inputs.first, inputs.rank));
  }
  scale(low, inner_TR);
  return out;
}

Addend low_rank_input(const Pass& pass, const LowRank& low) {
  Addend out{.inner_TR = take_inner(pass, low).zero_(), .factors = {{0, 0, in_master(pass, low.a)}}};
  for (const LowRank::Part& part : low.parts) {
    const at::Tensor& b_OR = pass.parameters.value(part.b);
    out.sources.push_back({part.row, part.first, part.scale != 1 ? b_OR * part.scale : b_OR});
  }
  return out;
}

void add_low_rank_gradients(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                            const at::Tensor& inner_TR, const at::Tensor& d_inner_TR, const at::Tensor& d_y_TO) {
  const ProfileScope scope("adapter, backward");
  if (gradients[low.a].defined()) add_gradients_of_b(pass, low, d_y_TO, inner_TR, gradients);
  add_low_rank_gradient_of_a(pass, gradients, low, x_TI, d_inner_TR);
}

void add_low_rank_gradient_of_a(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                                const at::Tensor& d_inner_TR) {
  if (gradients[low.a].defined()) add_gradient_of_a(pass, d_inner_TR, x_TI, gradients[low.a]);
}

Addend low_rank_backward(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                         const at::Tensor& inner_TR, const at::Tensor& d_y_TO) {
  const ProfileScope scope("adapter, backward");
  const at::Tensor &a_RI = pass.parameters.value(low.a), &d_a_RI = gradients[low.a];
  const at::Tensor d_inner_TR = take_inner(pass, low).zero_();
  multiply_by_b(pass, low, d_y_TO, d_inner_TR);
  scale(low, d_inner_TR);

  Addend out;
  for (const auto& [first, rank, dropout] : inputs_of(pass, low)) {
    const at::Tensor a_of_RI = a_RI.narrow(0, first, rank), d_TR = d_inner_TR.narrow(1, first, rank);
    if (d_a_RI.defined() && x_TI.defined()) {
      const Scratch scratch(pass.workspace);
      add_gradient_of_a(pass, d_TR, dropped(pass, dropout, x_TI), d_a_RI.narrow(0, first, rank));
    }
    if (!dropout.active()) continue;  // these are the inputs of all parts (inputs_of)
    const at::Tensor d_x_TI = pass.take(x_TI.size(1), pass.master()).zero_();
    product::add_narrow(d_TR, a_of_RI.to(pass.master()), d_x_TI);
    drop(pass.input, dropout, d_x_TI);
    if (out.defined()) {
      out.whole_TO.add_(d_x_TI);
    } else {
      out.whole_TO = d_x_TI;
    }
  }
  if (!out.defined()) out = {.inner_TR = d_inner_TR, .factors = {{0, 0, in_master(pass, low.a)}}};
  if (d_a_RI.defined()) add_gradients_of_b(pass, low, d_y_TO, inner_TR, gradients);
  return out;
}

at::Tensor with_low_rank(const Parameters& parameters, ParamId weight, const LowRank& low) {
  at::Tensor out_OI = parameters.in_master(weight).clone();
  const at::Tensor a_RI = parameters.in_master(low.a);
  for (const LowRank::Part& part : low.parts) {
    out_OI.narrow(0, part.row, part.rows)
        .addmm_(parameters.in_master(part.b), a_RI.narrow(0, part.first, part.rank), 1, part.scale);
  }
  return out_OI;
}

}  // namespace st
