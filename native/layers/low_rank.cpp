#include "layers/low_rank.h"

#include <vector>

#include "core/profile.h"

namespace st {

namespace {

// Parts of A that read the same input.
struct Inputs {
  int64_t first, rank;  // rows of A
  Dropout dropout;
};

std::vector<Inputs> inputs_of(const Pass& pass, const LowRank& low) {
  std::vector<Inputs> out;
  for (const LowRank::Part& part : low.parts) {
    out.push_back({part.first, part.rank, pass.dropout_at(part.site, low.dropout)});
  }
  if (!out[0].dropout.active()) return {{0, low.rank, Dropout()}};
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

// drop(x) A'.
at::Tensor inner(const Pass& pass, const LowRank& low, const at::Tensor& a_RI, const at::Tensor& x_TI) {
  at::Tensor out_TR = pass.take(a_RI.size(0));
  const std::vector<Inputs> all = inputs_of(pass, low);
  for (const Inputs& one : all) {
    const Scratch scratch(pass.workspace);
    const at::Tensor to_TR = all.size() > 1 ? pass.take(a_RI.size(0)) : out_TR;
    linear(dropped(pass, one.dropout, x_TI), {a_RI, nullptr, pass.workspace}, {}, to_TR);
    if (all.size() == 1) continue;
    if (one.first == 0) out_TR.zero_();
    out_TR.narrow(1, one.first, one.rank).copy_(to_TR.narrow(1, one.first, one.rank));
  }
  return out_TR;
}

}  // namespace

at::Tensor low_rank_forward(const Pass& pass, const LowRank& low, const at::Tensor& x_TI, int64_t width) {
  const ProfileScope scope("adapter");
  const Factors of = factors(pass, low, width);
  return linear_addend(inner(pass, low, of.a_RI, x_TI), {of.b_OR, nullptr, pass.workspace});
}

at::Tensor low_rank_backward(const Pass& pass, Gradients& gradients, const LowRank& low, const at::Tensor& x_TI,
                             const at::Tensor& d_y_TO) {
  const ProfileScope scope("adapter, backward");
  const Factors of = factors(pass, low, d_y_TO.size(1));
  const int64_t rank = of.a_RI.size(0);
  at::Tensor d_inner_TR = pass.take(rank);
  linear_backward_input(d_y_TO, {of.b_OR, nullptr, pass.workspace}, d_inner_TR, false);

  if (gradients[low.a].defined()) {
    const Scratch scratch(pass.workspace);
    at::Tensor d_b_OR = pass.workspace.take({d_y_TO.size(1), rank}, pass.master()).zero_();
    linear_backward_weight(d_y_TO, inner(pass, low, of.a_RI, x_TI), d_b_OR, pass.workspace);
    for (const LowRank::Part& part : low.parts) {
      at::Tensor(gradients[part.b])
          .add_(d_b_OR.narrow(0, part.row, part.rows).narrow(1, part.first, part.rank), part.scale);
    }
  }

  at::Tensor out_TI;
  const std::vector<Inputs> all = inputs_of(pass, low);
  for (const Inputs& one : all) {
    at::Tensor d_one_TR = d_inner_TR;
    if (all.size() > 1) {
      d_one_TR = pass.take(rank).zero_();
      d_one_TR.narrow(1, one.first, one.rank).copy_(d_inner_TR.narrow(1, one.first, one.rank));
    }
    if (gradients[low.a].defined()) {
      const Scratch scratch(pass.workspace);
      at::Tensor d_a_RI = pass.workspace.take(of.a_RI.sizes(), pass.master()).zero_();
      linear_backward_weight(d_one_TR, dropped(pass, one.dropout, x_TI), d_a_RI, pass.workspace);
      at::Tensor(gradients[low.a]).add_(d_a_RI.narrow(0, 0, low.rank));
    }
    const at::Tensor d_x_TI = linear_backward_addend(d_one_TR, {of.a_RI, nullptr, pass.workspace});
    drop(pass.input, one.dropout, d_x_TI);
    if (out_TI.defined()) {
      out_TI.add_(d_x_TI);
    } else {
      out_TI = d_x_TI;
    }
  }
  return out_TI;
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
