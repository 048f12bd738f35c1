#include "engine/replicas.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "core/error.h"
#include "core/profile.h"

namespace st {

namespace {

// Steps between two comparisons of the weights, which read all of them but the token table.
constexpr int64_t kComparedEvery = 100;

}  // namespace

// [columns * B, ...] of each rank to [columns * ranks * B, ...].
at::Tensor Replicas::all_rows(const at::Tensor& own, int64_t columns) {
  std::vector<int64_t> shape = own.sizes().vec();
  shape[0] /= columns;
  shape.insert(shape.begin(), columns);
  const at::Tensor all = ranks_->all_gather(own.reshape(shape));
  return all.transpose(0, 1).flatten(0, 2);
}

at::Tensor Replicas::own_rows(const Network::Output& all, const at::Tensor& all_RD, int64_t columns) const {
  if (!all_RD.defined()) return all_RD;
  const int64_t size = ranks_->size();
  if (all.offsets.empty()) {
    return all_RD.view({columns, size, -1, all_RD.size(1)}).select(1, ranks_->rank()).flatten(0, 1);
  }
  const int64_t rows = (static_cast<int64_t>(all.offsets.size()) - 1) / (columns * size);
  std::vector<at::Tensor> pieces;
  for (int64_t column = 0; column < columns; ++column) {
    const int64_t first = (column * size + ranks_->rank()) * rows;
    const int64_t begin = all.offsets[static_cast<size_t>(first)], end = all.offsets[static_cast<size_t>(first + rows)];
    pieces.push_back(all_RD.narrow(0, begin, end - begin));
  }
  return at::cat(pieces);
}

// The same for rows of several vectors each. Ranks have different numbers of them, so they are sent behind one another
// in memory for the most that a rank has.
Network::Output Replicas::all_vectors(const Network::Output& own, int64_t columns) {
  const auto rows = static_cast<int64_t>(own.offsets.size()) - 1;
  const at::Tensor offsets = at::empty({rows + 1}, at::kInt);
  std::copy(own.offsets.begin(), own.offsets.end(), offsets.mutable_data_ptr<int32_t>());
  const at::Tensor all_offsets = ranks_->all_gather(offsets);
  const at::Tensor count_K = all_offsets.select(1, rows).contiguous();
  const auto* count = count_K.const_data_ptr<int32_t>();
  const int64_t most = *std::max_element(count, count + ranks_->size());
  const at::Tensor sent_TD = at::zeros({most, own.embeddings_RD.size(1)}, own.embeddings_RD.options());
  sent_TD.narrow(0, 0, own.embeddings_RD.size(0)).copy_(own.embeddings_RD);
  const at::Tensor all_KTD = ranks_->all_gather(sent_TD);
  Network::Output out;
  out.offsets = {0};
  std::vector<at::Tensor> pieces;
  for (int64_t column = 0; column < columns; ++column) {
    for (int64_t rank = 0; rank < ranks_->size(); ++rank) {
      const int32_t* of = all_offsets.const_data_ptr<int32_t>() + rank * (rows + 1) + column * (rows / columns);
      for (int64_t row = 0; row < rows / columns; ++row)
        out.offsets.push_back(out.offsets.back() + of[row + 1] - of[row]);
      pieces.push_back(all_KTD[rank].narrow(0, of[0], of[rows / columns] - of[0]));
    }
  }
  out.embeddings_RD = at::cat(pieces);
  return out;
}

LossGradients Replicas::differentiate_all(const OwnedLoss& owned, LossContext context, const Network::Output& outputs,
                                          double scale) {
  const LossNeeds needs = owned.loss->needs();
  check(!needs.layers && !needs.tokens && !needs.encoder && !needs.targets && !needs.decoder, "ERR_NOT_IMPLEMENTED",
        "gatherAcrossDevices is built for losses of embeddings, and of nothing else of the model");
  const PackedBatch& batch = context.batch;
  check(batch.text_ids.empty() && batch.lists.empty() && std::holds_alternative<std::monostate>(batch.labels),
        "ERR_NOT_IMPLEMENTED", "gatherAcrossDevices is not built for batches with labels, lists or numbers of texts");
  const at::Tensor& own_RD = outputs.embeddings_RD;
  check_loss(owned, batch, own_RD.size(1));
  LossTensors tensors;
  if (batch.guide_width > 0) {
    const at::Tensor guide_RG = at::empty({batch.rows(), batch.guide_width}, at::kFloat);
    std::copy(batch.guide.begin(), batch.guide.end(), guide_RG.mutable_data_ptr<float>());
    tensors.guide_RG = all_rows(guide_RG, batch.columns).to(own_RD.device());
  }
  context.given = &tensors;
  Network::Output all;
  if (needs.vectors) {
    all = all_vectors(outputs, batch.columns);
  } else {
    all.embeddings_RD = all_rows(own_RD, batch.columns);
  }
  LossGradients found = differentiate(owned, context, all, scale);
  found.outputs.embeddings_RD = own_rows(all, found.outputs.embeddings_RD, batch.columns);
  for (at::Tensor& parameter : found.parameters) {
    if (parameter.defined()) parameter = parameter * share();
  }
  return found;
}

// Losses first, then what the host has counted. Those on a device go by themselves, so that the host does not wait for
// them.
Replicas::Logged Replicas::log(const LossValue& value, int64_t tokens, const std::vector<double>& requests) {
  std::vector<at::Tensor> means = {value.total.to(at::kDouble)};
  for (const auto& [name, number] : value.logged) means.push_back(number.to(value.total.device(), at::kDouble));
  at::Tensor losses = at::stack(means) * share();
  at::Tensor counts = at::empty({1 + static_cast<int64_t>(requests.size())}, at::kDouble);
  counts[0].fill_(tokens);
  std::copy(requests.begin(), requests.end(), counts.mutable_data_ptr<double>() + 1);
  if (losses.is_cpu()) {
    const at::Tensor all = at::cat(std::vector<at::Tensor>{losses, counts});
    ranks_->all_reduce(all);
    losses = all.narrow(0, 0, losses.numel());
    counts = all.narrow(0, losses.numel(), counts.numel());
  } else {
    ranks_->all_reduce(losses);
    ranks_->all_reduce(counts);
  }
  const auto* count = counts.const_data_ptr<double>();
  Logged out{LossValue(losses[0]), static_cast<int64_t>(count[0]), {count + 1, count + counts.numel()}};
  int64_t at = 1;
  for (const auto& [name, number] : value.logged) out.value.logged.emplace_back(name, losses[at++]);
  return out;
}

void Replicas::watch_weights(TrainedSets& sets, bool forget) {
  for (auto& set : sets.all) {
    if (set->is_queued()) set->parameters().put_off(forget ? nullptr : &settled_);
  }
}

void Replicas::check_weights(TrainedSets& sets, int64_t step) {
  if (step % kComparedEvery == 0) compare_weights(sets, step);
}

GradientSums& Replicas::sums_of(TrainedSets& sets, size_t set) {
  sums_.resize(sets.all.size());
  if (sums_[set] == nullptr) sums_[set] = std::make_unique<GradientSums>(ranks_, *sets.all[set]);
  return *sums_[set];
}

void Replicas::sum_gradients(TrainedSets& sets) {
  const ProfileScope scope("communication");
  for (size_t set = 0; set < sets.all.size(); ++set) {
    if (sets.all[set]->used) sums_of(sets, set).finish();
  }
}

double Replicas::take_hidden_ms() {
  double out = 0;
  for (const auto& sums : sums_) {
    if (sums != nullptr) out += sums->take_hidden_ms();
  }
  return out;
}

void Replicas::copy_weights(TrainedSets& sets) {
  for (auto& set : sets.all) {
    set->parameters().settle();
    ranks_->broadcast(set->parameters().flat(), 0);
    set->loaded(false);
  }
}

void Replicas::compare_weights(TrainedSets& sets, int64_t step) {
  ranks_->settle();
  const auto count = static_cast<int64_t>(sets.all.size());
  at::Tensor own = at::empty({count}, at::kLong);
  for (int64_t i = 0; i < count; ++i) own[i] = sets.all[static_cast<size_t>(i)]->checksum();
  const at::Tensor all = ranks_->all_gather(own);
  for (int64_t rank = 1; rank < ranks_->size(); ++rank) {
    check(all[rank].equal(all[0]), "ERR_DISTRIBUTED", "The weights of rank ", rank, " differ from those of rank 0 ",
          step == 0 ? "before the first step: all ranks have to begin with the same model" : "after step ",
          step == 0 ? "" : std::to_string(step));
  }
}

}  // namespace st
