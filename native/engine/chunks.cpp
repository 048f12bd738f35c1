#include "engine/chunks.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "core/device.h"
#include "core/yield.h"

namespace st {

std::vector<Chunk> plan_chunks(const Rows& batch, const std::vector<Route>& routes, const ChunkLimits& limits,
                               const Part& part) {
  std::vector<Chunk> chunks;
  const int64_t column_rows = batch.rows() / batch.columns;
  MaskRows rows;
  if (part.size > 1) {
    rows.column = static_cast<uint32_t>(column_rows);
    rows.skipped = static_cast<uint32_t>(part.rank * column_rows);
    rows.others = static_cast<uint32_t>((part.size - 1) * column_rows);
  }
  size_t pass = 0;
  for (size_t first = 0, last = 0; first < routes.size(); first = last, ++pass) {
    while (last < routes.size() && routes[last] == routes[first]) ++last;
    const int64_t limit = static_cast<int64_t>(last) * column_rows;
    for (int64_t begin = static_cast<int64_t>(first) * column_rows; begin < limit;) {
      int64_t end = begin + 1;
      while (end < limit && (limits.rows == 0 || end - begin < limits.rows) &&
             (limits.tokens == 0 || batch.offsets[end + 1] - batch.offsets[begin] <= limits.tokens)) {
        ++end;
      }
      rows.before = static_cast<uint32_t>(begin);
      chunks.push_back({routes[first], pass, begin, end, rows});
      begin = end;
    }
  }
  return chunks;
}

ChunkedPass::ChunkedPass(const Rows& batch, std::vector<Chunk> chunks, const DropoutKey& dropout,
                         const Network::Wanted& wanted)
    : batch_(batch), chunks_(std::move(chunks)), dropout_(dropout), wanted_(wanted) {
  for (const Chunk& chunk : chunks_) {
    if (passes_.size() == chunk.pass) passes_.push_back(std::make_unique<TrainingPass>(*chunk.route.network));
  }
}

DropoutKey ChunkedPass::key_of(const Chunk& chunk) const {
  DropoutKey key = dropout_;
  key.rows = chunk.rows;
  return key;
}

bool ChunkedPass::keeps_state(size_t index) const {
  for (size_t later = index + 1; later < chunks_.size(); ++later) {
    if (chunks_[later].pass == chunks_[index].pass) return false;
  }
  return true;
}

Network::Output ChunkedPass::run(const Chunk& chunk, const Input& input) const {
  yield_here();
  Network::Wanted wanted = wanted_;
  wanted.chain = chunk.route.chain;
  return passes_[chunk.pass]->forward(input, key_of(chunk), wanted);
}

namespace {

// Calls work(the chunk's rows as a batch on its device).
template <typename Work>
void with_input(const Rows& batch, const Chunk& chunk, const Work& work) {
  if (chunk.begin == 0 && chunk.end == batch.rows()) return work(Input(batch, chunk.route.network->device()));
  const Rows part = batch.slice(chunk.begin, chunk.end);
  work(Input(part, chunk.route.network->device()));
}

// The position of a chunk's rows in the whole batch's output; that of its tokens with `tokens`.
struct Range {
  int64_t begin, size, all;

  Range(const Rows& batch, const Chunk& chunk, bool tokens)
      : begin(tokens ? batch.offsets[chunk.begin] : chunk.begin),
        size((tokens ? batch.offsets[chunk.end] : chunk.end) - begin),
        all(tokens ? batch.tokens() : batch.rows()) {}

  void put(at::Tensor& whole, const at::Tensor& part) const {
    if (!whole.defined()) {
      std::vector<int64_t> sizes = part.sizes().vec();
      sizes[0] = all;
      whole = at::empty(sizes, part.options());
    }
    whole.narrow(0, begin, size).copy_(part);
  }
  at::Tensor of(const at::Tensor& whole) const { return whole.defined() ? whole.narrow(0, begin, size) : whole; }
};

}  // namespace

Network::Output ChunkedPass::forward() {
  Network::Output whole;
  std::vector<at::Tensor> vectors;
  for (const Chunk& chunk : chunks_) {
    with_input(batch_, chunk, [&](const Input& input) {
      Network::Output part = run(chunk, input);
      if (chunks_.size() == 1) {
        whole = std::move(part);
        return;
      }
      const Range rows(batch_, chunk, false);
      if (part.offsets.empty()) {
        rows.put(whole.embeddings_RD, part.embeddings_RD);
      } else {
        vectors.push_back(part.embeddings_RD.clone());
        if (whole.offsets.empty()) whole.offsets.push_back(0);
        const int32_t before = whole.offsets.back();
        for (size_t row = 1; row < part.offsets.size(); ++row) whole.offsets.push_back(before + part.offsets[row]);
      }
      whole.layers_RD.resize(part.layers_RD.size());
      for (size_t i = 0; i < part.layers_RD.size(); ++i) rows.put(whole.layers_RD[i], part.layers_RD[i]);
      if (part.tokens_TD.defined()) Range(batch_, chunk, true).put(whole.tokens_TD, part.tokens_TD);
      if (part.reconstruction_RPD.defined()) rows.put(whole.reconstruction_RPD, part.reconstruction_RPD);
    });
  }
  if (!vectors.empty()) whole.embeddings_RD = at::cat(vectors);
  offsets_ = whole.offsets;
  return whole;
}

void ChunkedPass::backward(const Network::Output& gradient, const std::vector<Gradients*>& gradients,
                           const LayerDone& layer_done) {
  const bool is_one =
      std::all_of(chunks_.begin(), chunks_.end(), [&](auto& chunk) { return chunk.route.set == chunks_[0].route.set; });
  size_t left = chunks_.size();
  // First the chunks whose activations are still kept.
  for (const bool kept : {true, false}) {
    for (size_t i = 0; i < chunks_.size(); ++i) {
      if (keeps_state(i) != kept) continue;
      const Chunk& chunk = chunks_[i];
      Network::Output part = gradient;
      if (chunks_.size() > 1) {
        const Range rows(batch_, chunk, false);
        if (offsets_.empty()) {
          part.embeddings_RD = rows.of(gradient.embeddings_RD);
        } else if (gradient.embeddings_RD.defined()) {
          const int64_t first = offsets_[chunk.begin];
          part.embeddings_RD = gradient.embeddings_RD.narrow(0, first, offsets_[chunk.end] - first);
        }
        for (at::Tensor& layer_RD : part.layers_RD) layer_RD = rows.of(layer_RD);
        part.reconstruction_RPD = rows.of(gradient.reconstruction_RPD);
        part.tokens_TD = Range(batch_, chunk, true).of(gradient.tokens_TD);
      }
      with_input(batch_, chunk, [&](const Input& input) {
        if (!kept) run(chunk, input);
        const LayerDone& done = is_one && --left == 0 ? layer_done : LayerDone();
        passes_[chunk.pass]->backward(input, key_of(chunk), part, *gradients[chunk.route.set], done);
      });
    }
  }
}

}  // namespace st
