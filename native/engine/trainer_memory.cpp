// What training will take, before anything of it is allocated.
#include <c10/core/ScalarType.h>
#include <c10/util/accumulate.h>

#include <algorithm>

#include "core/device.h"
#include "core/error.h"
#include "engine/trainer_impl.h"

namespace st {

namespace {

int64_t numbers_of(const std::vector<TensorInfo>& tensors) {
  int64_t sum = 0;
  for (const TensorInfo& tensor : tensors) sum += c10::multiply_integers(tensor.shape);
  return sum;
}

}  // namespace

TrainingMemory Trainer::memory(int64_t columns, int64_t rows) const {
  const Impl& impl = *impl_;
  const Encoder::Impl& encoder = impl.encoder->impl();
  check(encoder.network.device().is_cpu(), "ERR_NOT_IMPLEMENTED",
        "The memory of training is known on the CPU alone: give miniBatchTokens");
  for (size_t i = 0; i < impl.losses.size(); ++i) {
    const LossNeeds needs = impl.losses[i]->loss->needs();
    check(!needs.layers && !needs.tokens && !needs.encoder && !needs.twin && !needs.decoder && !needs.vectors &&
              !needs.reconstruction,
          "ERR_NOT_IMPLEMENTED", "How much memory the loss ", impl.spec.losses[i].spec.string("type"),
          " takes is not known, since it reads more than embeddings: give miniBatchTokens");
  }
  const auto size_of = [](at::ScalarType type) { return static_cast<int64_t>(c10::elementSize(type)); };
  const int64_t master = size_of(master_dtype(impl.precision));
  const int64_t copies = 1 + static_cast<int64_t>(optimizer_state_names(impl.spec.optimizer).size());
  TrainingMemory out;
  for (size_t set = 0; set < encoder.networks.size(); ++set) {
    const Network& network = *encoder.networks[set];
    const std::string prefix = Encoder::Impl::prefix(set);
    const auto is_frozen = [&](const std::string& name) { return impl.is_frozen(prefix + name); };
    out.fixed += numbers_of(network.trained_tensors(is_frozen)) * master * copies;
    const int64_t all = numbers_of(network.tensors());
    // A copy of the weights in another precision; masters, and what they are made from beside them.
    if (impl.precision != network.compute()) out.fixed += all * size_of(impl.precision);
    if (network.will_make_masters()) out.fixed += all * (master + size_of(network.compute()));

    const Model& model = network.model();
    const int64_t kept = network.kept_per_token(false, impl.precision, is_frozen);
    // What a layer takes for a moment in its backward pass is about as much as it keeps.
    const int64_t layer = kept / std::max<int64_t>(1, model.outputs() - 1);
    const int64_t heads = 3 * model.sizes().width * master;
    out.per_token = std::max(out.per_token, kept + layer + heads);
    out.per_token_recomputed =
        std::max(out.per_token_recomputed, network.kept_per_token(true, impl.precision, is_frozen) + 2 * layer + heads);
  }
  for (const auto& loss : impl.losses) out.fixed += loss->parameters.layout.trained_end() * master * copies;
  // The scores of all pairs and their gradients, and the embeddings with theirs, where autograd keeps each operation's.
  constexpr int64_t kOperations = 8;
  out.loss = kOperations * columns * rows * (rows + encoder.network.embedding_width()) * master;
  return out;
}

}  // namespace st
