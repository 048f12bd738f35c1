#include "cuda/attention.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_efficient_attention_backward.h>
#include <ATen/ops/_efficient_attention_forward.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <mutex>

#include "core/error.h"
#include "core/features.h"
#include "ops/cuda.h"

namespace st::cuda {

static_assert(ST_HAVE_FLASH_RNG_STATE, "A LibTorch whose flash attention keeps its random state otherwise");

AttentionKernel choose_attention(at::ScalarType type, int64_t head_dim, int64_t longest) {
  if (type != at::kFloat && type != at::kBFloat16) return AttentionKernel::kReference;
  if (head_dim % 8 != 0 || head_dim > 256) return AttentionKernel::kReference;
  return type == at::kBFloat16 && longest > kLongestForEfficient ? AttentionKernel::kFlash
                                                                 : AttentionKernel::kEfficient;
}

int64_t attention_seed(const Dropout& dropout) {
  uint64_t z = dropout.key ^ (uint64_t{dropout.site} << 32 | dropout.first_row);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;  // SplitMix64
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return static_cast<int64_t>((z ^ (z >> 31)) & 0x7FFFFFFFFFFFFFFF);
}

namespace {

constexpr int64_t kLseAlign = 32;
constexpr int64_t kStateWords = 8;  // of 16 bits: a seed and an offset

// The place of each token in [rows, length] padded to `length`.
at::Tensor padded_places_T(const Input& input, int64_t length) {
  return (input.rows_T.to(at::kLong) * length).add_(input.positions_T);
}

}  // namespace

at::Tensor packed_lse_TH(const Input& input, const at::Tensor& lse_RHL) {
  const int64_t length = lse_RHL.size(2);
  return lse_RHL.transpose(1, 2).reshape({-1, lse_RHL.size(1)}).index_select(0, padded_places_T(input, length));
}

at::Tensor padded_lse_RHL(const Input& input, const at::Tensor& lse_TH) {
  const int64_t rows = input.batch.rows(), heads = lse_TH.size(1);
  const int64_t length = (input.longest() + kLseAlign - 1) / kLseAlign * kLseAlign;
  at::Tensor out = at::full({rows * length, heads}, std::numeric_limits<double>::infinity(), lse_TH.options());
  out.index_copy_(0, padded_places_T(input, length), lse_TH);
  return out.view({rows, length, heads}).transpose(1, 2).contiguous();
}

namespace {

struct Call {
  Call(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D, const at::Tensor& mask)
      : qkv_T3HE(qkv_T3D.view({qkv_T3D.size(0), 3, heads, -1})),
        offsets_R1(input.offsets_R1),
        longest(input.longest()),
        dropped(static_cast<double>(dropout.threshold) / 65536),
        seed(dropout.active() ? attention_seed(dropout) : 0),
        recorded(dropped > 0 && is_recording() ? mask.narrow(0, 0, kStateWords).view(at::kLong) : at::Tensor()),
        scale(1 / std::sqrt(static_cast<double>(qkv_T3HE.size(3)))),
        kernel(choose_attention(qkv_T3D.scalar_type(), qkv_T3HE.size(3), longest)) {}

  at::Tensor part(int64_t i) const { return qkv_T3HE.select(1, i); }
  at::Tensor batched(int64_t i) const { return part(i).unsqueeze(0); }

  // The masks of the next library call are those of this seed.
  void seed_generator() const {
    if (dropped == 0 || recorded.defined()) return;
    at::Generator generator = at::globalContext().defaultGenerator(qkv_T3HE.device());
    const std::lock_guard lock(generator.mutex());
    generator.set_current_seed(static_cast<uint64_t>(seed));
  }

  at::Tensor qkv_T3HE, offsets_R1;
  int64_t longest;
  double dropped;
  int64_t seed;
  at::Tensor recorded;  // int64: where the generator stood, for the backward pass; undefined unless it is recorded too
  double scale;
  AttentionKernel kernel;
};

at::Tensor by_token(const at::Tensor& lse_HT) {
  return lse_HT.defined() ? lse_HT.t() : at::Tensor();
}

void flash(const Call& call, const Input&, at::Tensor out_THE, at::Tensor lse_TH) {
  const auto [out, lse, rng, unused, mask] =
      at::_flash_attention_forward(call.part(0), call.part(1), call.part(2), call.offsets_R1, call.offsets_R1,
                                   call.longest, call.longest, call.dropped, false, false, call.scale);
  out_THE.copy_(out);
  if (call.recorded.defined()) call.recorded.copy_(rng.view(at::kLong));
  if (!lse_TH.defined()) return;
  check(lse.dim() == 2 && lse.size(0) == lse_TH.size(1) && lse.size(1) == lse_TH.size(0), "ERR_LIBTORCH",
        "Expected flash attention's log sums as [heads, tokens] but found ", lse.dim(), " dimensions");
  lse_TH.copy_(lse.t());
}

void efficient(const Call& call, const Input& input, at::Tensor out_THE, at::Tensor lse_TH) {
  const auto found = at::_efficient_attention_forward(call.batched(0), call.batched(1), call.batched(2), {},
                                                      call.offsets_R1, call.offsets_R1, call.longest, call.longest,
                                                      call.dropped, 0, lse_TH.defined(), call.scale);
  out_THE.copy_(std::get<0>(found).squeeze(0));
  if (call.recorded.defined()) {
    call.recorded.select(0, 0).copy_(std::get<2>(found));
    call.recorded.select(0, 1).copy_(std::get<3>(found));
  }
  if (lse_TH.defined()) lse_TH.copy_(packed_lse_TH(input, std::get<1>(found)));
}

using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Gradients flash_backward(const Call& call, const Input&, const at::Tensor& out_THE, const at::Tensor& lse_TH,
                         const at::Tensor& d_out_THE) {
  // What the forward pass gave: the seed and no offset.
  at::Tensor state = call.recorded;
  if (!state.defined()) {
    state = at::zeros({2}, lse_TH.options().dtype(at::kLong));
    if (call.dropped > 0) state.select(0, 0).fill_(call.seed);
  }
  return at::_flash_attention_backward(d_out_THE, call.part(0), call.part(1), call.part(2), out_THE,
                                       lse_TH.t().contiguous(), call.offsets_R1, call.offsets_R1, call.longest,
                                       call.longest, call.dropped, false, state.view(at::kUInt64),
                                       at::empty({0}, state.options().dtype(at::kByte)), call.scale);
}

Gradients efficient_backward(const Call& call, const Input& input, const at::Tensor& out_THE, const at::Tensor& lse_TH,
                             const at::Tensor& d_out_THE) {
  // On the host, where LibTorch reads them unless the pass is recorded.
  const bool recorded = call.recorded.defined();
  const at::Tensor seed = recorded ? call.recorded.select(0, 0) : at::full({}, call.seed, at::kLong);
  const at::Tensor offset = recorded ? call.recorded.select(0, 1) : at::zeros({}, at::kLong);
  const auto [d_q, d_k, d_v, d_bias] = at::_efficient_attention_backward(
      d_out_THE.unsqueeze(0), call.batched(0), call.batched(1), call.batched(2), {}, out_THE.unsqueeze(0),
      call.offsets_R1, call.offsets_R1, call.longest, call.longest, padded_lse_RHL(input, lse_TH), call.dropped, seed,
      offset, 0, false, call.scale, std::nullopt, std::nullopt, true);
  return {d_q.squeeze(0), d_k.squeeze(0), d_v.squeeze(0)};
}

}  // namespace

void attention(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D, at::Tensor out_TD,
               at::Tensor lse_HT, at::Tensor mask) {
  const Call call(input, dropout, heads, qkv_T3D, mask);
  if (call.kernel == AttentionKernel::kReference) {
    refuse_recording("attention row by row");
    return reference::attention(input, dropout, heads, qkv_T3D, out_TD, lse_HT, mask);
  }
  call.seed_generator();
  const at::Tensor out_THE = out_TD.view({out_TD.size(0), heads, -1});
  (call.kernel == AttentionKernel::kFlash ? flash : efficient)(call, input, out_THE, by_token(lse_HT));
}

void attention_backward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
                        const at::Tensor& out_TD, const at::Tensor& lse_HT, const at::Tensor& mask,
                        const at::Tensor& d_out_TD, at::Tensor d_qkv_T3D, at::Tensor d_bias_3D) {
  const Call call(input, dropout, heads, qkv_T3D, mask);
  if (call.kernel == AttentionKernel::kReference) {
    refuse_recording("attention row by row");
    return reference::attention_backward(input, dropout, heads, qkv_T3D, out_TD, lse_HT, mask, d_out_TD, d_qkv_T3D,
                                         d_bias_3D);
  }
  const at::Tensor out_THE = out_TD.view({out_TD.size(0), heads, -1}), d_out_THE = d_out_TD.view_as(out_THE);
  const auto [d_q, d_k, d_v] = (call.kernel == AttentionKernel::kFlash ? flash_backward : efficient_backward)(
      call, input, out_THE, by_token(lse_HT), d_out_THE);
  at::Tensor d_qkv_T3HE = d_qkv_T3D.view(call.qkv_T3HE.sizes());
  d_qkv_T3HE.select(1, 0).copy_(d_q);
  d_qkv_T3HE.select(1, 1).copy_(d_k);
  d_qkv_T3HE.select(1, 2).copy_(d_v);
  if (d_bias_3D.defined()) d_bias_3D.add_(d_qkv_T3D.sum(at::IntArrayRef{0}, false, d_bias_3D.scalar_type()));
}

}  // namespace st::cuda
