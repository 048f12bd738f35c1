#include "models/sparse_auto_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "core/error.h"

namespace st {

namespace {

// The highest values of each row, falling, and their latents.
struct Highest {
  at::Tensor values_RK, latents_RK;

  Highest first(int64_t k) const { return {values_RK.narrow(1, 0, k), latents_RK.narrow(1, 0, k)}; }
};

Highest highest(const at::Tensor& x_RH, int64_t k) {
  auto [values_RK, latents_RK] = at::topk(x_RH, k);
  return {values_RK, latents_RK};
}

// Those above 0 in their places, among zeros.
at::Tensor spread(const Highest& top, const at::Tensor& like_RH) {
  return at::zeros_like(like_RH).scatter(1, top.latents_RK, top.values_RK.relu());
}

class SparseAutoEncoder : public Head {
 public:
  SparseAutoEncoder(const Config& spec, const std::string& prefix, int64_t width_in, Layout& layout)
      : width_(spec.integer("hiddenDim", 512)),
        k_(spec.integer("k", 8)),
        k_aux_(spec.integer("kAux", 512)),
        dead_threshold_(spec.integer("deadThreshold", 30)),
        normalize_(spec.boolean("normalize", false)) {
    const int64_t in = spec.integer("inputDim");
    check(in == width_in, "ERR_INVALID_MODEL", "Module ", prefix, "SparseAutoEncoder takes ", in,
          " features but receives ", width_in);
    check(k_ >= 1 && k_ <= width_, "ERR_INVALID_MODEL", "Expected from 1 to ", width_, ", the hiddenDim, for k of ",
          prefix, "SparseAutoEncoder but found ", k_);
    check(k_aux_ >= 0, "ERR_INVALID_MODEL", "Expected at least 0 for kAux of ", prefix, "SparseAutoEncoder but found ",
          k_aux_);
    weight_ = layout.add(prefix + "encoder.weight", {width_, in}, Group::kDecay);
    pre_bias_ = layout.add(prefix + "pre_bias", {in}, Group::kNoDecay);
    latent_bias_ = layout.add(prefix + "latent_bias", {width_}, Group::kNoDecay);
    rests_ = layout.add(prefix + "stats_last_nonzero", {width_}, Group::kFrozen);
  }

  void forward(HeadState& state) const override {
    const LatentsWanted& wanted = state.latents;
    const Scaled in = scaled(state.sentence_RD);
    const at::Tensor pre_RH =
        at::linear(in.x_RD - state.parameters[pre_bias_], state.parameters[weight_], state.parameters[latent_bias_]);
    if (!wanted.trains && !wanted.reconstructs) {
      state.sentence_RD = spread(highest(pre_RH, kept(wanted.active_dims)), pre_RH);
      return;
    }
    check(4 * k_ <= width_ && k_aux_ <= width_, "ERR_INVALID_ARGUMENT", "A SparseAutoEncoder with hiddenDim ", width_,
          " is trained with k up to ", width_ / 4, ", a quarter of it, and kAux up to ", width_, " but has k ", k_,
          " and kAux ", k_aux_);
    const Highest top_4k = highest(pre_RH, 4 * k_), top_k = top_4k.first(k_);
    const at::Tensor latents_RH = spread(top_k, pre_RH);
    const at::Tensor aux_RH = of_resting(wanted, state.parameters[rests_], pre_RH, top_k, top_4k);
    if (wanted.reconstructs) {
      state.reconstruction_RPD = reconstruction(state, in, latents_RH, spread(top_4k, pre_RH), aux_RH);
    }
    state.sentence_RD = latents_RH;
  }

  bool add_to(HeadGraph&) const override {
    fail("ERR_NOT_IMPLEMENTED", "The export of SparseAutoEncoder to ONNX is not built");
  }
  int64_t width() const override { return width_; }
  bool reconstructs() const override { return true; }
  std::vector<ParamId> parameters() const override { return {weight_, pre_bias_, latent_bias_}; }
  bool takes_fixed() const override { return false; }

 private:
  // The input, where it is normalised without its mean and in units of its deviation.
  struct Scaled {
    at::Tensor x_RD, raw_RD, mean_R1, deviation_R1;

    at::Tensor in_units(const at::Tensor& y_RD) const { return deviation_R1.defined() ? y_RD * deviation_R1 : y_RD; }
    at::Tensor back(const at::Tensor& y_RD) const {
      return deviation_R1.defined() ? y_RD * deviation_R1 + mean_R1 : y_RD;
    }
  };
  Scaled scaled(const at::Tensor& x_RD) const {
    if (!normalize_) return {x_RD, x_RD, {}, {}};
    const at::Tensor mean_R1 = x_RD.mean(1, true), centred_RD = x_RD - mean_R1;
    const at::Tensor deviation_R1 = centred_RD.std(1, true, true);
    return {centred_RD / (deviation_R1 + kEpsilon), x_RD, mean_R1, deviation_R1};
  }

  int64_t kept(int64_t active_dims) const {
    check(active_dims <= width_, "ERR_INVALID_ARGUMENT", "Expected maxActiveDims from 1 to ", width_,
          ", the hiddenDim of the SparseAutoEncoder, but found ", active_dims);
    return active_dims > 0 ? active_dims : k_;
  }

  // The highest kAux of the latents that rest, undefined without kAux. Columns are passes of their own: each counts
  // twice, for k and for 4 k values, as in sentence-transformers.
  at::Tensor of_resting(const LatentsWanted& wanted, const at::Tensor& rests, const at::Tensor& pre_RH,
                        const Highest& top_k, const Highest& top_4k) const {
    // Autograd has kept views of the parameters, beside which these numbers lie: it must not notice.
    const at::Tensor rests_H = rests.variable_data();
    const int64_t step = wanted.column_rows > 0 ? wanted.column_rows : pre_RH.size(0);
    std::vector<at::Tensor> columns;
    for (int64_t begin = 0; begin < pre_RH.size(0); begin += step) {
      if (wanted.trains) count(top_k, begin, step, rests_H);
      if (wanted.reconstructs && k_aux_ > 0) {
        const at::Tensor pre_BH = pre_RH.narrow(0, begin, step) * (rests_H > dead_threshold_);
        columns.push_back(spread(highest(pre_BH, k_aux_), pre_BH));
      }
      if (wanted.trains) count(top_4k, begin, step, rests_H);
    }
    return columns.empty() ? at::Tensor() : at::cat(columns);
  }

  // Latents with a value are at rest no more, and one pass has gone by. float32 counts to 16,777,216 and stays there.
  static void count(const Highest& top, int64_t begin, int64_t rows, at::Tensor rests_H) {
    const at::NoGradGuard no_grad;
    const at::Tensor values = top.values_RK.narrow(0, begin, rows), latents = top.latents_RK.narrow(0, begin, rows);
    at::Tensor active_H = at::zeros(rests_H.sizes(), rests_H.options());
    active_H.scatter_add_(0, latents.reshape({-1}), (values > 1e-5).to(active_H.scalar_type()).reshape({-1}));
    rests_H.masked_fill_(active_H > 0, 0).add_(1);
  }

  at::Tensor reconstruction(const HeadState& state, const Scaled& in, const at::Tensor& k_RH, const at::Tensor& wide_RH,
                            const at::Tensor& aux_RH) const {
    const at::Tensor& weight_HD = state.parameters[weight_];
    const at::Tensor& bias_D = state.parameters[pre_bias_];
    const auto decoded = [&](const at::Tensor& latents_RH) { return latents_RH.matmul(weight_HD) + bias_D; };
    const at::Tensor again_RD = in.back(decoded(k_RH));
    std::vector<at::Tensor> parts = {in.raw_RD, again_RD, in.back(decoded(wide_RH))};
    if (aux_RH.defined()) {
      parts.push_back(in.raw_RD - (again_RD - in.in_units(bias_D)).detach());
      parts.push_back(in.in_units(decoded(aux_RH)));
    }
    return at::stack(parts, 1);
  }

  static constexpr double kEpsilon = 1e-5;
  int64_t width_, k_, k_aux_, dead_threshold_;
  bool normalize_;
  ParamId weight_ = -1, pre_bias_ = -1, latent_bias_ = -1, rests_ = -1;
};

}  // namespace

std::unique_ptr<Head> make_sparse_auto_encoder(const Config& spec, const std::string& prefix, int64_t width_in,
                                               Layout& layout) {
  return std::make_unique<SparseAutoEncoder>(spec, prefix, width_in, layout);
}

Initial initial_of_auto_encoder(const Config& spec, const std::string& name) {
  const bool is_matrix = name.size() >= 7 && name.compare(name.size() - 7, 7, ".weight") == 0;
  return is_matrix ? linear_initial(spec.integer("inputDim")) : Initial{};
}

}  // namespace st
