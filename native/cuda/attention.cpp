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

#include <algorithm>
#include <limits>
#include <mutex>
#include <optional>
#include <tuple>

#include "core/error.h"
#include "core/features.h"
#include "ops/cuda.h"

namespace st::cuda {

static_assert(ST_HAVE_FLASH_RNG_STATE, "A LibTorch whose flash attention keeps its random state otherwise");

AttentionKernel choose_attention(const AttentionShape& shape, bool biased, at::ScalarType type, int64_t longest) {
  if (type != at::kFloat && type != at::kBFloat16 && type != at::kHalf) return AttentionKernel::kReference;
  if (biased || shape.head_dim % 8 != 0 || shape.head_dim > 256) return AttentionKernel::kReference;
  const bool flash_alone = shape.window >= 0 || shape.kv_heads != shape.heads;
  if (type == at::kFloat) return flash_alone ? AttentionKernel::kReference : AttentionKernel::kEfficient;
  return flash_alone || shape.causal || longest > kLongestForEfficient ? AttentionKernel::kFlash
                                                                       : AttentionKernel::kEfficient;
}

int64_t attention_seed(const Dropout& dropout) {
  uint64_t z = dropout.key ^ (uint64_t{dropout.site} << 32 | dropout.number(0));
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

const Input& batch_of(const Sequences& rows) {
  check(rows.input != nullptr && rows.first == rows.input->batch.offsets.data(), "ERR_LIBTORCH",
        "Expected attention on a GPU to get the rows of a batch");
  return *rows.input;
}

// [tokens, heads, head size] of the columns of all heads.
at::Tensor by_head(const at::Tensor& x_TX, int64_t heads) {
  return x_TX.unflatten(1, {heads, x_TX.size(1) / heads});
}

struct LibraryCall {
  LibraryCall(const AttentionCall& call, const Projections& qkv, const at::Tensor& mask)
      : shape(call.shape),
        queries(batch_of(call.queries)),
        keys(batch_of(call.keys)),
        q_THE(by_head(qkv.q, shape.heads)),
        k_SGE(by_head(qkv.k, shape.kv_heads)),
        v_SGE(by_head(qkv.v, shape.kv_heads)),
        longest_query(queries.longest()),
        longest_key(keys.longest()),
        dropped(static_cast<double>(call.dropout.threshold) / 65536),
        seed(call.dropout.active() ? attention_seed(call.dropout) : 0),
        recorded(dropped > 0 && is_recording() ? mask.narrow(0, 0, kStateWords).view(at::kLong) : at::Tensor()),
        kernel(choose_attention(shape, call.bias != nullptr || call.positions != nullptr, qkv.q.scalar_type(),
                                std::max(longest_query, longest_key))) {}

  // The masks of the next library call are those of this seed.
  void seed_generator() const {
    if (dropped == 0 || recorded.defined()) return;
    at::Generator generator = at::globalContext().defaultGenerator(q_THE.device());
    const std::lock_guard lock(generator.mutex());
    generator.set_current_seed(static_cast<uint64_t>(seed));
  }

  // Flash attention's: how many keys before and behind its position a query sees. It counts positions from the end of a
  // row, like AttentionShape.
  std::optional<int64_t> behind() const {
    return shape.window < 0 ? std::nullopt : std::optional<int64_t>(shape.window);
  }
  std::optional<int64_t> ahead() const { return shape.causal ? std::optional<int64_t>(0) : behind(); }
  // Memory-efficient attention's: none, or a causal one that counts from the end of a row.
  int64_t mask_type() const { return shape.causal ? 2 : 0; }

  AttentionShape shape;
  const Input& queries;
  const Input& keys;
  at::Tensor q_THE, k_SGE, v_SGE;
  int64_t longest_query, longest_key;
  double dropped;
  int64_t seed;
  at::Tensor recorded;  // int64: where the generator stood, for the backward pass; undefined unless it is recorded too
  AttentionKernel kernel;
};

at::Tensor by_token(const at::Tensor& lse_HT) {
  return lse_HT.defined() ? lse_HT.t() : at::Tensor();
}

void flash(const LibraryCall& call, at::Tensor out_THE, at::Tensor lse_TH) {
  const auto [out, lse, rng, unused, mask] = at::_flash_attention_forward(
      call.q_THE, call.k_SGE, call.v_SGE, call.queries.offsets_R1, call.keys.offsets_R1, call.longest_query,
      call.longest_key, call.dropped, call.shape.causal, false, call.shape.scale, call.behind(), call.ahead());
  out_THE.copy_(out);
  if (call.recorded.defined()) call.recorded.copy_(rng.view(at::kLong));
  if (!lse_TH.defined()) return;
  check(lse.dim() == 2 && lse.size(0) == lse_TH.size(1) && lse.size(1) == lse_TH.size(0), "ERR_LIBTORCH",
        "Expected flash attention's log sums as [heads, tokens] but found ", lse.dim(), " dimensions");
  lse_TH.copy_(lse.t());
}

void efficient(const LibraryCall& call, at::Tensor out_THE, at::Tensor lse_TH) {
  const auto found = at::_efficient_attention_forward(
      call.q_THE.unsqueeze(0), call.k_SGE.unsqueeze(0), call.v_SGE.unsqueeze(0), {}, call.queries.offsets_R1,
      call.keys.offsets_R1, call.longest_query, call.longest_key, call.dropped, call.mask_type(), lse_TH.defined(),
      call.shape.scale);
  out_THE.copy_(std::get<0>(found).squeeze(0));
  if (call.recorded.defined()) {
    call.recorded.select(0, 0).copy_(std::get<2>(found));
    call.recorded.select(0, 1).copy_(std::get<3>(found));
  }
  if (lse_TH.defined()) lse_TH.copy_(packed_lse_TH(call.queries, std::get<1>(found)));
}

using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Gradients flash_backward(const LibraryCall& call, const at::Tensor& out_THE, const at::Tensor& lse_TH,
                         const at::Tensor& d_out_THE) {
  // What the forward pass gave: the seed and no offset.
  at::Tensor state = call.recorded;
  if (!state.defined()) {
    state = at::zeros({2}, lse_TH.options().dtype(at::kLong));
    if (call.dropped > 0) state.select(0, 0).fill_(call.seed);
  }
  return at::_flash_attention_backward(d_out_THE, call.q_THE, call.k_SGE, call.v_SGE, out_THE, lse_TH.t().contiguous(),
                                       call.queries.offsets_R1, call.keys.offsets_R1, call.longest_query,
                                       call.longest_key, call.dropped, call.shape.causal, state.view(at::kUInt64),
                                       at::empty({0}, state.options().dtype(at::kByte)), call.shape.scale,
                                       call.behind(), call.ahead());
}

Gradients efficient_backward(const LibraryCall& call, const at::Tensor& out_THE, const at::Tensor& lse_TH,
                             const at::Tensor& d_out_THE) {
  // On the host, where LibTorch reads them unless the pass is recorded.
  const bool recorded = call.recorded.defined();
  const at::Tensor seed = recorded ? call.recorded.select(0, 0) : at::full({}, call.seed, at::kLong);
  const at::Tensor offset = recorded ? call.recorded.select(0, 1) : at::zeros({}, at::kLong);
  // The last argument asks for one memory of the three gradients, which only equal shapes can share.
  const auto [d_q, d_k, d_v, d_bias] = at::_efficient_attention_backward(
      d_out_THE.unsqueeze(0), call.q_THE.unsqueeze(0), call.k_SGE.unsqueeze(0), call.v_SGE.unsqueeze(0), {},
      out_THE.unsqueeze(0), call.queries.offsets_R1, call.keys.offsets_R1, call.longest_query, call.longest_key,
      padded_lse_RHL(call.queries, lse_TH), call.dropped, seed, offset, call.mask_type(), false, call.shape.scale,
      std::nullopt, std::nullopt, &call.queries == &call.keys);
  return {d_q.squeeze(0), d_k.squeeze(0), d_v.squeeze(0)};
}

void add_sum(const at::Tensor& d_TX, const at::Tensor& to_X) {
  if (!to_X.defined()) return;
  at::Tensor to = to_X;
  to.add_(d_TX.sum(at::IntArrayRef{0}, false, to.scalar_type()));
}

}  // namespace

void attention(const AttentionCall& call, const Projections& qkv, at::Tensor out_TX, at::Tensor lse_HT,
               at::Tensor mask) {
  const LibraryCall library(call, qkv, mask);
  if (library.kernel == AttentionKernel::kReference) {
    refuse_recording("attention row by row");
    return reference::attention(call, qkv, out_TX, lse_HT, mask);
  }
  library.seed_generator();
  (library.kernel == AttentionKernel::kFlash ? flash : efficient)(library, by_head(out_TX, call.shape.heads),
                                                                  by_token(lse_HT));
}

void attention_backward(const AttentionCall& call, const Projections& qkv, const at::Tensor& out_TX,
                        const at::Tensor& lse_HT, const at::Tensor& mask, const at::Tensor& d_out_TX,
                        const AttentionGradients& d) {
  const LibraryCall library(call, qkv, mask);
  if (library.kernel == AttentionKernel::kReference) {
    refuse_recording("attention row by row");
    return reference::attention_backward(call, qkv, out_TX, lse_HT, mask, d_out_TX, d);
  }
  const int64_t heads = call.shape.heads, kv_heads = call.shape.kv_heads;
  const auto [d_q, d_k, d_v] = (library.kernel == AttentionKernel::kFlash ? flash_backward : efficient_backward)(
      library, by_head(out_TX, heads), by_token(lse_HT), by_head(d_out_TX, heads));
  by_head(d.values.q, heads).copy_(d_q);
  by_head(d.values.k, kv_heads).copy_(d_k);
  by_head(d.values.v, kv_heads).copy_(d_v);
  add_sum(d.values.q, d.biases.q);
  add_sum(d.values.k, d.biases.k);
  add_sum(d.values.v, d.biases.v);
}

}  // namespace st::cuda
