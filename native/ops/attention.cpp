// Attention: what is checked, and the kernels of the CPU. The reference stands in attention_reference.cpp.
#include "ops/attention.h"

#include <ATen/core/Tensor.h>
#include <c10/core/TensorImpl.h>
#include <c10/util/DimVector.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/attention_items.h"
#include "ops/cpu/tile_attention.h"
#include "ops/cpu_call.h"
#include "ops/cuda.h"

namespace st {

Sequences rows_of(const Input& input) {
  return {.rows = input.batch.rows(), .first = input.batch.offsets.data(), .length = nullptr, .input = &input};
}

namespace {

// x.narrow(-1, first, width) without the dispatcher: nine of those would cost as much as attention of a short text.
at::Tensor columns(const at::Tensor& x, int64_t first, int64_t width) {
  at::Tensor out =
      at::detail::make_tensor<at::TensorImpl>(at::TensorImpl::VIEW, c10::Storage(x.storage()), x.key_set(), x.dtype());
  c10::DimVector sizes(x.sizes());
  sizes.back() = width;
  out.unsafeGetTensorImpl()->set_sizes_and_strides(at::IntArrayRef(sizes), x.strides(),
                                                   x.storage_offset() + first * x.stride(-1));
  return out;
}

}  // namespace

Projections side_by_side(const at::Tensor& qkv, const AttentionShape& shape) {
  if (!qkv.defined()) return {};
  const int64_t x = shape.heads * shape.head_dim, y = shape.kv_heads * shape.head_dim;
  check(qkv.size(-1) == x + 2 * y, "ERR_INVALID_ARGUMENT", "Expected queries, keys and values ", x + 2 * y,
        " wide but found ", qkv.size(-1));
  return {columns(qkv, 0, x), columns(qkv, x, y), columns(qkv, x + y, y)};
}

int64_t attention_mask_words(const AttentionCall& call) {
  constexpr int64_t kState = 8;
  if (call.queries.input != nullptr && !call.queries.input->ids_T.is_cpu()) return kState;
  int64_t words = 0;
  for (int64_t row = 0; row < call.queries.rows; ++row) words += call.shape.heads * mask_words_of_head(call, row);
  return words;
}

namespace {

void check_rows(const char* what, const at::Tensor& x, int64_t width, at::ScalarType type) {
  check(
      x.defined() && x.dim() == 2 && x.size(1) == width && (x.stride(1) == 1 || width == 1) && x.scalar_type() == type,
      "ERR_INVALID_ARGUMENT", "Expected attention's ", what, " to be ", width, " wide, of ", c10::toString(type),
      " and with neighbouring columns");
}

void check_positions(const AttentionCall& call, at::ScalarType type) {
  const AttentionShape& shape = call.shape;
  check(call.bias == nullptr && !shape.causal && shape.window < 0 && shape.heads == shape.kv_heads,
        "ERR_INVALID_ARGUMENT",
        "Expected attention that reads positions without a bias, an order, a window or groups of heads");
  int64_t longest = 0;
  for (int64_t row = 0; row < call.queries.rows; ++row) {
    const int64_t queries = call.queries.length_of(row), keys = call.keys.length_of(row);
    check(queries == keys, "ERR_INVALID_ARGUMENT", "Expected as many keys as queries where attention reads positions, ",
          queries, " in row ", row, ", but found ", keys);
    longest = std::max(longest, queries);
  }
  check_positions(*call.positions, shape.heads * shape.head_dim, type, longest);
}

// Everything is checked here, once; the kernels trust it.
void check_call(const AttentionCall& call, const Projections& qkv, const at::Tensor& out_TX) {
  const AttentionShape& shape = call.shape;
  check(shape.heads > 0 && shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 && shape.head_dim > 0,
        "ERR_INVALID_ARGUMENT", "Expected heads that the key heads divide but found ", shape.heads, " and ",
        shape.kv_heads, " of ", shape.head_dim);
  check(shape.scale > 0, "ERR_INVALID_ARGUMENT", "Expected a scale above 0 but found ", shape.scale);
  const int64_t x = shape.heads * shape.head_dim, y = shape.kv_heads * shape.head_dim;
  const at::ScalarType type = qkv.q.scalar_type();
  check_rows("queries", qkv.q, x, type);
  check_rows("keys", qkv.k, y, type);
  check_rows("values", qkv.v, y, type);
  check_rows("output", out_TX, x, type);
  check(call.queries.rows == call.keys.rows, "ERR_INVALID_ARGUMENT", "Expected as many rows of keys as of queries, ",
        call.queries.rows, ", but found ", call.keys.rows);
  if (call.bias != nullptr) check_bias(*call.bias, shape.heads);
  if (call.positions != nullptr) check_positions(call, type);
  if (!qkv.q.is_cpu()) return;
  // Otherwise a query could see nothing.
  const bool all = !shape.causal && shape.window < 0;
  for (int64_t row = 0; row < call.queries.rows; ++row) {
    const int64_t queries = call.queries.length_of(row), keys = call.keys.length_of(row);
    check(queries == 0 || keys >= (all ? 1 : queries), "ERR_INVALID_ARGUMENT", "Expected at least ", all ? 1 : queries,
          " keys for the ", queries, " queries of row ", row, " but found ", keys);
  }
}

void check_mask(const AttentionCall& call, const at::Tensor& mask) {
  if (!call.dropout.active()) return;
  const int64_t words = attention_mask_words(call);
  if (words == 0) return;
  check(mask.defined() && mask.numel() >= words && mask.scalar_type() == at::kShort, "ERR_LIBTORCH", "Expected ", words,
        " words of 16 bits for the mask of attention but found ", mask.defined() ? mask.numel() : 0);
}

// The distances between the queries and the keys of all rows.
Diagonals diagonals_of(const AttentionCall& call) {
  Diagonals out;
  for (int64_t row = 0; row < call.queries.rows; ++row) {
    out.back = std::max(out.back, call.queries.length_of(row) - 1);
    out.ahead = std::max(out.ahead, call.keys.length_of(row) - 1);
  }
  return out;
}

template <typename S>
kernels::TokenRows<S> rows(const at::Tensor& x) {
  return {data<std::remove_const_t<S>>(x), x.stride(0)};
}

// The call of a kernel, with the memory that both passes need.
template <typename S>
struct CpuCall {
  using A = kernels::arithmetic_t<S>;

  CpuCall(const AttentionCall& call, const Projections& qkv, const at::Tensor& out_TX, const at::Tensor& lse_HT,
          const at::Tensor& mask, bool backward)
      : diagonals(call.bias != nullptr ? diagonals_of(call) : Diagonals()) {
    constexpr int64_t kAll = int64_t{1} << 40;
    const AttentionShape& shape = call.shape;
    const int64_t window = shape.window < 0 ? kAll : std::min(shape.window, kAll);
    kernel = {.heads = shape.heads,
              .group = shape.heads / shape.kv_heads,
              .head_dim = shape.head_dim,
              // Of 1 / sqrt(E) this is sqrt(E), rounded once.
              .divisor = static_cast<A>(1 / shape.scale),
              .behind = window,
              .ahead = shape.causal ? 0 : window,
              .dropout = call.dropout,
              .q = rows<const S>(qkv.q),
              .k = rows<const S>(qkv.k),
              .v = rows<const S>(qkv.v),
              .out = rows<S>(out_TX),
              .lse_HT = data<A>(lse_HT),
              .tokens = lse_HT.defined() ? lse_HT.size(1) : 0,
              .mask = data<uint16_t>(mask)};
    if (call.positions != nullptr) {
      tables = tables_of<A>(*call.positions, shape.heads, kernels::kPerNat<A> / kernel.divisor, backward);
      kernel.positions = {.reach = tables.reach,
                          .k_HME = tables.k_HME.data(),
                          .q_HPED = tables.q_HPED.data(),
                          .q_HME = tables.q_HME.data()};
    }
    if (call.bias == nullptr) return;
    constexpr int64_t kReadBehind = 32;
    kernel.bias_stride = diagonals.count() + kReadBehind;
    kernel.bias_back = diagonals.back;
    buckets = buckets_of(*call.bias, diagonals);
    bias_HR = expanded_bias<A>(*call.bias, buckets, kernel.bias_stride, kernels::kPerNat<A>);
    kernel.bias_HR = bias_HR.data();
  }

  Diagonals diagonals;
  std::vector<int64_t> buckets;  // of the diagonals
  std::vector<A> bias_HR;
  PositionTables<A> tables = {};
  kernels::Attention<S> kernel;
};

// One item by the kernels that take it.
template <typename S>
void attend(const kernels::Attention<S>& kernel, const kernels::AttentionItem& item, bool backward) {
  using A = kernels::arithmetic_t<S>;
  if constexpr (std::is_same_v<S, kernels::Bf16>) {
    const kernels::TileAttention* tiles = kernels::tile_attention();
    if (tiles != nullptr && tiles->takes(kernel, item)) {
      return (backward ? tiles->backward : tiles->forward)(kernel, item,
                                                           thread_scratch<A>(tiles->scratch(kernel, item, backward)));
    }
  }
  const kernels::Table<S>& table = kernels::table<S>();
  (backward ? table.attention_backward : table.attention)(
      kernel, item, thread_scratch<A>(table.attention_scratch(kernel, item, backward)));
}

// Sums by row in order, so that no number of threads changes them.
template <typename S>
void add_bias_gradient(const AttentionCall& call, const CpuCall<S>& cpu, const at::Tensor& d_table_BH) {
  using A = kernels::arithmetic_t<S>;
  const int64_t heads = call.shape.heads, count = cpu.diagonals.count();
  std::vector<double> sums_HR(heads * count);
  const A* from = cpu.kernel.d_bias;
  for (int64_t row = 0; row < call.queries.rows; ++row) {
    const int64_t width = diagonals_of_row(call, row) / heads;
    const int64_t skipped = cpu.diagonals.back - (call.queries.length_of(row) - 1);
    for (int64_t head = 0; head < heads; ++head, from += width) {
      double* to = sums_HR.data() + head * count + skipped;
      for (int64_t i = 0; i < width; ++i) to[i] += from[i];
    }
  }
  add_to_buckets(*call.bias, cpu.buckets, sums_HR, data<A>(d_table_BH));
}

// Gradients of positions gain those of all rows: each part of the rows has sums of its own.
template <typename S>
void attend_back_in_parts(const AttentionCall& call, const CpuCall<S>& cpu, const PositionPair& d) {
  using A = kernels::arithmetic_t<S>;
  const PositionTables<A>& tables = cpu.tables;
  const int64_t parts = parts_of_rows(call), size = tables.size();
  std::vector<A> sums(2 * parts * size);
  A *k_PHME = sums.data(), *q_PHME = k_PHME + parts * size;
  std::vector<kernels::Attention<S>> kernel_of(parts, cpu.kernel);
  for (int64_t part = 0; part < parts; ++part) {
    kernel_of[part].positions.d_k_HME = k_PHME + part * size;
    kernel_of[part].positions.d_q_HME = q_PHME + part * size;
  }
  for_each_item_in_parts(
      call, [&](int64_t part, const kernels::AttentionItem& item) { attend(kernel_of[part], item, true); });
  const A scale = A(1) / cpu.kernel.divisor;
  add_to_places(*call.positions, tables, parts, k_PHME, scale, d.k_RX);
  add_to_places(*call.positions, tables, parts, q_PHME, scale, d.q_RX);
}

template <typename A>
void add_rows(int64_t rows, const A* from_RX, const at::Tensor& total_X) {
  if (!total_X.defined()) return;
  A* to = data<A>(total_X);
  const int64_t width = total_X.numel();
  for (int64_t row = 0; row < rows; ++row, from_RX += width) {
    for (int64_t i = 0; i < width; ++i) to[i] += from_RX[i];
  }
}

}  // namespace

void attention(const AttentionCall& call, const Projections& qkv, at::Tensor out_TX, at::Tensor lse_HT,
               at::Tensor mask) {
  const ProfileScope scope("attention");
  check_call(call, qkv, out_TX);
  if (!has_kernels(qkv.q)) {
    return (qkv.q.is_cpu() ? reference::attention : cuda::attention)(call, qkv, out_TX, lse_HT, mask);
  }
  check_mask(call, mask);
  with_storage(qkv.q.scalar_type(), [&]<typename S>(S) {
    const CpuCall<S> cpu(call, qkv, out_TX, lse_HT, mask, false);
    for_each_item(call, false, [&](const kernels::AttentionItem& item) { attend(cpu.kernel, item, false); });
  });
}

void attention_backward(const AttentionCall& call, const Projections& qkv, const at::Tensor& out_TX,
                        const at::Tensor& lse_HT, const at::Tensor& mask, const at::Tensor& d_out_TX,
                        const AttentionGradients& d) {
  const ProfileScope scope("attention, backward");
  check_call(call, qkv, out_TX);
  check_call(call, d.values, d_out_TX);
  if (!has_kernels(qkv.q)) {
    const bool here = qkv.q.is_cpu();
    return (here ? reference::attention_backward : cuda::attention_backward)(call, qkv, out_TX, lse_HT, mask, d_out_TX,
                                                                             d);
  }
  check_mask(call, mask);
  with_storage(qkv.q.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    CpuCall<S> cpu(call, qkv, out_TX, lse_HT, mask, true);
    kernels::Attention<S>& kernel = cpu.kernel;
    kernel.d_out = rows<const S>(d_out_TX);
    kernel.d_q = rows<S>(d.values.q);
    kernel.d_k = rows<S>(d.values.k);
    kernel.d_v = rows<S>(d.values.v);
    const int64_t count = call.queries.rows;
    const auto size = [&](const at::Tensor& total) { return total.defined() ? count * total.numel() : 0; };
    const int64_t sizes[] = {size(d.biases.q), size(d.biases.k), size(d.biases.v)};
    std::vector<A> sums(sizes[0] + sizes[1] + sizes[2]);
    A *sum_q_RX = sums.data(), *sum_k_RY = sum_q_RX + sizes[0], *sum_v_RY = sum_k_RY + sizes[1];
    if (sizes[0] > 0) kernel.sum_q_RX = sum_q_RX;
    if (sizes[1] > 0) kernel.sum_k_RY = sum_k_RY;
    if (sizes[2] > 0) kernel.sum_v_RY = sum_v_RY;
    int64_t diagonals = 0;
    for (int64_t row = 0; call.bias != nullptr && row < call.queries.rows; ++row)
      diagonals += diagonals_of_row(call, row);
    std::vector<A> d_bias(d.table_BH.defined() ? diagonals : 0);
    if (!d_bias.empty()) kernel.d_bias = d_bias.data();
    if (d.positions.q_RX.defined()) {
      attend_back_in_parts(call, cpu, d.positions);
    } else {
      for_each_item(call, true, [&](const kernels::AttentionItem& item) { attend(kernel, item, true); });
    }
    add_rows(count, sum_q_RX, d.biases.q);
    add_rows(count, sum_k_RY, d.biases.k);
    add_rows(count, sum_v_RY, d.biases.v);
    if (!d_bias.empty()) add_bias_gradient(call, cpu, d.table_BH);
  });
}

}  // namespace st
