#include "layers/low_rank.h"

#include <vector>

#include "core/profile.h"

namespace st {

namespace {

// Parts of A that read the same input.
struct Inputs {
  int64_t first, rank;  // rows of A
  bool are_all;
  Dropout dropout;
};

std::vector<Inputs> inputs_of(const Pass& pass, const LowRank& low) {
  const auto dropout_of = [&](const LowRank::Part& part) { return pass.dropout_at(part.site, low.dropout); };
  if (low.parts.size() == 1 || !dropout_of(low.parts[0]).active()) {
    return {{0, low.rank, true, dropout_of(low.parts[0])}};
  }
  std::vector<Inputs> out;
  for (const LowRank::Part& part : low.parts) out.push_back({part.first, part.rank, false, dropout_of(part)});
  return out;
}

// A and B of all parts. Our products of bfloat16 need a depth of whole tiles; what is beyond the rank is 0.
struct Factors {
  at::Tensor a_RI, b_OR;
};

int64_t padded_rank(const Pass& pass, const LowRank& low) {
  constexpr int64_t kTile = 32;
  return pass.compute() == at::kBFloat16 ? (low.rank + kTile - 1) / kTile * kTile : low.rank;
}

Factors factors(const Pass& pass, const LowRank& low, int64_t width) {
  const int64_t rank = padded_rank(pass, low);
  const at::Tensor& a_RI = pass.parameters.value(low.a);
  Factors out{a_RI, pass.workspace.take({width, rank}, pass.compute()).zero_()};
  if (rank != low.rank) {
    out.a_RI = pass.workspace.take({rank, a_RI.size(1)}, pass.compute()).zero_();
    out.a_RI.narrow(0, 0, low.rank).copy_(a_RI);
  }
  for (const LowRank::Part& part : low.parts) {
    // Scaled in the master dtype.
    const at::Tensor b_OR = pass.parameters.master(part.b) * part.scale;
    out.b_OR.narrow(0, part.row, part.rows).narrow(1, part.first, part.rank).copy_(b_OR);
  }
  return out;
}

at::Tensor dropped(const Pass& pass, const Dropout& dropout, const at::Tensor& x_TI) {
  if (!dropout.active()) return x_TI;
  at::Tensor out_TI = pass.take(x_TI.size(1)).copy_(x_TI);
  drop(pass.input, dropout, out_TI);
  return out_TI;
}

// x A' in the columns of these inputs.
void multiply_by_a(const Pass& pass, const Inputs& inputs, const at::Tensor& x_TI, const at::Tensor& a_RI,
                   at::Tensor out_TR) {
  const Weight a{a_RI, nullptr, pass.workspace};
  if (inputs.are_all) return linear(x_TI, a, {}, out_TR);
  const Scratch scratch(pass.workspace);
  const at::Tensor all_TR = pass.take(a_RI.size(0));
  linear(x_TI, a, {}, all_TR);
  out_TR.narrow(1, inputs.first, inputs.rank).copy_(all_TR.narrow(1, inputs.first, inputs.rank));
}

// The gradient of x A' in the columns of these inputs, 0 elsewhere.
at::Tensor columns_of(const Pass& pass, const Inputs& inputs, const at::Tensor& d_TR) {
  if (inputs.are_all) return d_TR;
  at::Tensor out_TR = pass.take(d_TR.size(1)).zero_();
  out_TR.narrow(1, inputs.first, inputs.rank).copy_(d_TR.narrow(1, inputs.first, inputs.rank));
  return out_TR;
}

// The addend inner · factor, in the dtype of sums: float for bfloat16.
Addend small_product(const Pass& pass, const at::Tensor& inner_TR, const at::Tensor& factor_RO) {
  const at::ScalarType type = pass.master();
  return {{}, inner_TR.to(type), factor_RO.to(type)};
}

}  // namespace

Addend low_rank_forward(const Pass& pass, const LowRank& low, const at::Tensor& x_TI, int64_t width) {
  const ProfileScope scope("adapter");
  const Factors of = factors(pass, low, width);
  // What is beyond the rank stays 0.
  const at::Tensor inner_TR = pass.take(of.a_RI.size(0)).zero_();
  for (const Inputs& inputs : inputs_of(pass, low)) {
    const Scratch scratch(pass.workspace);
    multiply_by_a(pass, inputs, dropped(pass, inputs.dropout, x_TI), of.a_RI, inner_TR);
  }
  return small_product(pass, inner_TR, of.b_OR.t());
}

Addend low_rank_backward(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                         const at::Tensor& d_y_TO) {
  const ProfileScope scope("adapter, backward");
  const bool trains = gradients[low.a].defined();
  const Factors of = factors(pass, low, d_y_TO.size(1));
  const int64_t rank = of.a_RI.size(0);
  const at::Tensor d_inner_TR = pass.take(rank), inner_TR = pass.take(rank).zero_();
  linear_backward_input(d_y_TO, {of.b_OR, nullptr, pass.workspace}, d_inner_TR, false);

  Addend out;
  for (const Inputs& inputs : inputs_of(pass, low)) {
    const at::Tensor d_TR = columns_of(pass, inputs, d_inner_TR);
    if (trains) {
      const Scratch scratch(pass.workspace);
      const at::Tensor in_TI = dropped(pass, inputs.dropout, x_TI);
      multiply_by_a(pass, inputs, in_TI, of.a_RI, inner_TR);
      at::Tensor d_a_RI = pass.workspace.take(of.a_RI.sizes(), pass.master()).zero_();
      linear_backward_weight(d_TR, in_TI, d_a_RI, pass.workspace);
      gradients[low.a].add_(d_a_RI.narrow(0, 0, low.rank));
    }
    if (!inputs.dropout.active()) {  // these are the inputs of all parts (inputs_of)
      out = small_product(pass, d_TR, of.a_RI);
      continue;
    }
    const at::Tensor d_x_TI = linear_backward_addend(d_TR, {of.a_RI, nullptr, pass.workspace});
    drop(pass.input, inputs.dropout, d_x_TI);
    if (out.defined()) {
      out.whole_TO.add_(d_x_TI);
    } else {
      out.whole_TO = d_x_TI;
    }
  }
  if (!trains) return out;

  const Scratch scratch(pass.workspace);
  at::Tensor d_b_OR = pass.workspace.take({d_y_TO.size(1), rank}, pass.master()).zero_();
  linear_backward_weight(d_y_TO, inner_TR, d_b_OR, pass.workspace);
  for (const LowRank::Part& part : low.parts) {
    const at::Tensor d_part_OR = d_b_OR.narrow(0, part.row, part.rows).narrow(1, part.first, part.rank);
    gradients[part.b].add_(d_part_OR, part.scale);
  }
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
