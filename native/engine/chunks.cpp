#include "engine/chunks.h"

#include <ATen/ops/empty.h>

#include "core/device.h"

namespace st {

std::vector<Chunk> plan_chunks(const PackedBatch& batch, Network& network, const ChunkPlan& plan) {
  std::vector<Chunk> chunks;
  const int64_t first_column = batch.rows() / batch.columns;
  for (int64_t begin = 0; begin < batch.rows();) {
    const bool of_twin = plan.twin != nullptr && begin < first_column;
    const int64_t limit = of_twin ? first_column : batch.rows();
    int64_t end = begin + 1;
    while (end < limit && (plan.rows == 0 || end - begin < plan.rows) &&
           (plan.tokens == 0 || batch.offsets[end + 1] - batch.offsets[begin] <= plan.tokens)) {
      ++end;
    }
    chunks.push_back({of_twin ? size_t{1} : size_t{0}, of_twin ? plan.twin : &network, begin, end});
    begin = end;
  }
  return chunks;
}

ChunkedPass::ChunkedPass(const PackedBatch& batch, std::vector<Chunk> chunks, const DropoutKey& dropout,
                         const Network::Wanted& wanted)
    : batch_(batch), chunks_(std::move(chunks)), dropout_(dropout), wanted_(wanted) {
  check(chunks_.size() == 1 || !(wanted.layers || wanted.tokens), "ERR_INVALID_ARGUMENT",
        "Gradient caching works with losses over sentence embeddings; this loss reads the states of tokens or layers");
}

DropoutKey ChunkedPass::key_of(const Chunk& chunk) const {
  DropoutKey key = dropout_;
  key.first_row += static_cast<uint32_t>(chunk.begin);
  return key;
}

bool ChunkedPass::keeps_state(size_t index) const {
  for (size_t later = index + 1; later < chunks_.size(); ++later) {
    if (chunks_[later].network == chunks_[index].network) return false;
  }
  return true;
}

Network::Output ChunkedPass::run(const Chunk& chunk, const Input& input) const {
  return chunk.network->forward_training(input, key_of(chunk), wanted_);
}

namespace {

// Calls work(chunk's rows as a batch on its device).
template <typename Work>
void with_input(const PackedBatch& batch, const Chunk& chunk, const Work& work) {
  if (chunk.begin == 0 && chunk.end == batch.rows()) return work(Input(batch, chunk.network->device()));
  const PackedBatch part = batch.slice(chunk.begin, chunk.end);
  work(Input(part, chunk.network->device()));
}

}  // namespace

Network::Output ChunkedPass::forward() {
  Network::Output whole;
  for (const Chunk& chunk : chunks_) {
    with_input(batch_, chunk, [&](const Input& input) {
      Network::Output part = run(chunk, input);
      if (chunks_.size() == 1) {
        whole = std::move(part);
        return;
      }
      if (!whole.embeddings_RD.defined()) {
        whole.embeddings_RD = at::empty({batch_.rows(), part.embeddings_RD.size(1)}, part.embeddings_RD.options());
      }
      whole.embeddings_RD.narrow(0, chunk.begin, chunk.end - chunk.begin).copy_(part.embeddings_RD);
    });
  }
  return whole;
}

void ChunkedPass::backward(const Network::Output& gradient, const std::vector<Gradients*>& gradients) {
  // First the chunks whose activations are still there.
  for (const bool kept : {true, false}) {
    for (size_t i = 0; i < chunks_.size(); ++i) {
      if (keeps_state(i) != kept) continue;
      const Chunk& chunk = chunks_[i];
      Network::Output part = gradient;
      if (chunks_.size() > 1 && gradient.embeddings_RD.defined()) {
        part.embeddings_RD = gradient.embeddings_RD.narrow(0, chunk.begin, chunk.end - chunk.begin);
      }
      with_input(batch_, chunk, [&](const Input& input) {
        if (!kept) run(chunk, input);
        chunk.network->backward(input, key_of(chunk), part, *gradients[chunk.part]);
      });
    }
  }
}

}  // namespace st
