#include "ops/attention_items.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "core/parallel.h"

namespace st {

namespace {

// Heads that a thread takes at once: for short rows, taking them one by one would cost as much as the work.
int64_t heads_at_once(int64_t length) {
  return length <= 24 ? 4 : length <= 48 ? 2 : 1;
}

// The same for rows with one query, whose keys are read in one piece.
int64_t heads_of_one(int64_t heads, int64_t rows) {
  const int64_t items = 2 * at::get_num_threads();
  return std::clamp<int64_t>((heads * rows + items - 1) / items, 1, heads);
}

// Keys that a query sees at most.
int64_t seen_keys(const AttentionShape& shape, int64_t keys) {
  if (shape.window < 0) return keys;
  return std::min(keys, (shape.causal ? 1 : 2) * std::min(shape.window, keys) + 1);
}

}  // namespace

int64_t mask_words_of_head(const AttentionCall& call, int64_t row) {
  const int64_t keys = call.keys.length_of(row);
  return keys > kMostKeptKeys ? 0 : (call.queries.length_of(row) + 15) / 16 * keys;
}

int64_t diagonals_of_row(const AttentionCall& call, int64_t row) {
  return call.shape.heads * (call.queries.length_of(row) + call.keys.length_of(row) - 1);
}

namespace {

struct Items {
  std::vector<kernels::AttentionItem> list;  // by rows
  int64_t cost = 0;
};

// `most`: heads of an item.
Items items_of(const AttentionCall& call, bool backward, int64_t most) {
  const AttentionShape& shape = call.shape;
  const int64_t group = shape.heads / shape.kv_heads;
  Items out;
  out.list.reserve(call.queries.rows * shape.heads);
  int64_t mask = 0, d_bias = 0;
  for (int64_t row = 0; row < call.queries.rows; ++row) {
    const int64_t queries = call.queries.length_of(row), keys = call.keys.length_of(row);
    const int64_t words = call.dropout.active() ? mask_words_of_head(call, row) : 0;
    const bool one = queries == 1 && !backward;
    const int64_t few = std::min(most, one ? heads_of_one(shape.heads, call.queries.rows) : heads_at_once(keys));
    const int64_t step = backward ? (few + group - 1) / group * group : few;
    for (int64_t head = 0; head < shape.heads; head += step) {
      out.list.push_back({.first_query = call.queries.first[row],
                          .queries = queries,
                          .first_key = call.keys.first[row],
                          .keys = keys,
                          .mask = mask,
                          .mask_words = words,
                          .d_bias = d_bias,
                          .row = static_cast<int32_t>(row),
                          .head = static_cast<int32_t>(head),
                          .head_end = static_cast<int32_t>(std::min(shape.heads, head + step))});
    }
    mask += shape.heads * words;
    d_bias += diagonals_of_row(call, row);
    constexpr int64_t kOneQuery = 4;  // waits for memory as long as so many compute
    out.cost += shape.heads * shape.head_dim * (one ? kOneQuery : queries) * (seen_keys(shape, keys) + 16);
  }
  return out;
}

// Calls work(i) for [0, count), each thread taking the next one when it is free.
template <typename Work>
void in_turns(int64_t count, int64_t cost, const Work& work) {
  constexpr int64_t kGrain = 1 << 18;  // about ten times what it costs to start a parallel region
  const int64_t parts = std::min(count, parallel_parts(cost, kGrain));
  std::atomic<int64_t> next{0};
  parallel_ranges(parts, parts, [&](int64_t, int64_t, int64_t) {
    for (int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) work(i);
  });
}

}  // namespace

void for_each_item(const AttentionCall& call, bool backward,
                   const std::function<void(const kernels::AttentionItem&)>& work) {
  auto [items, cost] = items_of(call, backward, call.shape.heads);
  const auto work_of = [&](const kernels::AttentionItem& item) {
    return item.queries * seen_keys(call.shape, item.keys);
  };
  const auto before = [&](const auto& a, const auto& b) { return work_of(a) > work_of(b); };
  if (!std::is_sorted(items.begin(), items.end(), before)) std::stable_sort(items.begin(), items.end(), before);
  in_turns(static_cast<int64_t>(items.size()), cost, [&](int64_t i) { work(items[i]); });
}

int64_t parts_of_rows(const AttentionCall& call) {
  constexpr int64_t kMost = 4;
  return std::clamp<int64_t>(call.queries.rows, 1, kMost);
}

void for_each_item_in_parts(const AttentionCall& call,
                            const std::function<void(int64_t part, const kernels::AttentionItem&)>& work) {
  const auto [items, cost] = items_of(call, true, 1);
  const int64_t parts = parts_of_rows(call), rows = call.queries.rows, heads = call.shape.heads;
  // Neighbouring rows, which may be sorted by length, are in different parts.
  in_turns(parts * heads, cost, [&](int64_t i) {
    for (int64_t row = i % parts; row < rows; row += parts) work(i % parts, items[row * heads + i / parts]);
  });
}

}  // namespace st
