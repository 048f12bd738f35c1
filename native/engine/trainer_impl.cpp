#include "engine/trainer_impl.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/index_select.h>

#include <algorithm>

#include "core/device.h"
#include "core/error.h"
#include "core/profile.h"
#include "core/upload.h"
#include "engine/device_updater.h"
#include "engine/encoder_impl.h"
#include "engine/gathered.h"
#include "ops/cuda.h"

namespace st {

Trainer::Impl::Impl(std::shared_ptr<Encoder> shared, const TrainerSpec& given)
    : encoder(std::move(shared)), spec(given) {
  encoder->impl().check_open();
  const Network& network = encoder->impl().network;
  encoder_precision = network.compute();
  const at::ScalarType master = master_dtype(encoder_precision);
  precision = spec.precision.empty() ? encoder_precision : parse_dtype(spec.precision);
  check(!network.int8(), "ERR_UNSUPPORTED",
        "A model of dtype int8 encodes but is not trained: load it with float32 or bfloat16");
  check(master_dtype(precision) == master, "ERR_INVALID_ARGUMENT", "A float64 encoder cannot train in ",
        spec.precision);
  check(!spec.losses.empty(), "ERR_INVALID_ARGUMENT", "Expected at least one loss");
  for (const NamedLoss& loss : spec.losses) {
    losses.push_back(std::make_unique<OwnedLoss>(loss.name, loss.spec, encoder->embedding_dimension(), network.device(),
                                                 master, spec.seed));
    has_twin = has_twin || losses.back()->loss->needs().twin;
    const bool vectors = losses.back()->loss->needs().vectors;
    check(vectors == network.is_multi_vector(), "ERR_INVALID_ARGUMENT", "The loss ", loss.spec.string("type"),
          vectors ? " compares the vectors of all tokens, but the model has one embedding for each text"
                  : " compares one embedding for each text, but the model has a vector for each token");
    check(!losses.back()->loss->needs().decoder || network.decoder() != nullptr, "ERR_INVALID_ARGUMENT", "The loss ",
          loss.spec.string("type"), " trains a model with its decoder, but this one is an encoder alone");
  }
  optimizer_state_names(spec.optimizer);
  graphs = spec.graphs;
  if (graphs == nullptr && network.device().is_cuda() && cuda::use_graphs()) {
    graphs = std::make_shared<StepGraphs>(network.device());
  }
  sets.weight_decays = {spec.weight_decay, 0};
  sets.max_grad_norm = spec.max_grad_norm;
  sets.compat_loss_gradients = spec.compat_loss_gradients;
}

Network& Trainer::Impl::open() {
  check(!disposed, "ERR_DISPOSED", "The trainer was disposed");
  return encoder->impl().open();
}

bool Trainer::Impl::is_frozen(const std::string& name) const {
  const auto found = groups.find(name);
  return found != groups.end() && found->second < 0;
}

void Trainer::Impl::prepare() {
  if (!sets.all.empty()) return;
  Network& network = open();
  network.make_masters();
  network.set_compute(precision);
  network.freeze([&](const std::string& name) { return is_frozen(name); });
  const bool queued = spec.without_waiting || !network.device().is_cpu();
  const auto add = [&](Parameters& parameters, const char* prefix) {
    sets.all.push_back(std::make_unique<Trained>(parameters, prefix, spec.optimizer, queued));
    sets.all.back()->set_groups(groups);
  };
  add(network.parameters(), "");
  if (has_twin) {
    twin = network.copy();
    twin->freeze([&](const std::string& name) { return is_frozen(kTwinPrefix + name); });
    add(twin->parameters(), kTwinPrefix);
  }
  for (auto& loss : losses) add(loss->parameters, "");
  if (queued) {
    updater = std::make_unique<DeviceUpdater>(network.device(), static_cast<int64_t>(sets.weight_decays.size()));
  } else {
    updater = make_host_updater();
  }
}

const OwnedLoss& Trainer::Impl::loss_at(int64_t index) const {
  check(index >= 0 && index < static_cast<int64_t>(losses.size()), "ERR_INVALID_ARGUMENT", "Expected a loss from 0 to ",
        losses.size() - 1, " but found ", index);
  return *losses[static_cast<size_t>(index)];
}

void Trainer::Impl::check_rates(const StepOptions& options) const {
  check(options.rates.size() == 1 || options.rates.size() == sets.weight_decays.size(), "ERR_INVALID_ARGUMENT",
        "Expected one rate or ", sets.weight_decays.size(), ", one per group, but found ", options.rates.size());
}

Trainer::Impl::Pending Trainer::Impl::forward(const PackedBatch& batch, const StepOptions& options) {
  const ProfileScope scope("forward");
  check_rates(options);
  const Timer timer(counted.forward_ms);
  const LossNeeds needs = loss_at(options.loss).loss->needs();
  const ChunkPlan plan{options.mini_batch_rows, options.mini_batch_tokens, needs.twin ? twin.get() : nullptr};
  Pending pending{
      std::make_unique<ChunkedPass>(
          batch, plan_chunks(batch, open(), plan), dropout_key(),
          Network::Wanted{needs.layers, needs.tokens, spec.activation_checkpointing, true, needs.ignores_shift}),
      {},
      needs.twin};
  pending.outputs = pending.pass->forward();
  return pending;
}

void Trainer::Impl::add_to(Trained& own, const LossGradients& found) const {
  for (size_t id = 0; id < found.parameters.size(); ++id) {
    const at::Tensor to = own.gradients()[static_cast<ParamId>(id)];
    if (found.parameters[id].defined() && to.defined()) to.add_(found.parameters[id]);
  }
}

void Trainer::Impl::backward(Pending& pending, const LossGradients& found, const StepOptions& options) {
  const ProfileScope scope("backward");
  const Timer timer(counted.backward_ms);
  const at::NoGradGuard no_grad;
  Trained& encoders = *sets.all[0];
  Trained& own = *sets.all[set_of_loss(options.loss)];
  add_to(own, found);
  if (!found.encoder.empty()) {
    encoders.gradients().touch_all();
    const Layout& layout = open().parameters().layout;
    for (const TensorInfo& tensor : layout.tensors(true)) {
      const auto gradient = found.encoder.find(tensor.name);
      if (gradient == found.encoder.end()) continue;
      layout.named_view(encoders.gradients().flat(), tensor).add_(gradient->second);
    }
  }
  std::vector<Gradients*> gradients = {&encoders.gradients()};
  if (has_twin) gradients.push_back(&sets.all[1]->gradients());
  pending.pass->backward(found.outputs, gradients);
  own.used = encoders.used = true;
  if (pending.uses_twin) sets.all[1]->used = true;
}

at::Tensor Trainer::Impl::shown(const PackedBatch& batch, const Network::Output& outputs) {
  if (outputs.offsets.empty()) return outputs.embeddings_RD;
  std::vector<int64_t> first;
  for (int64_t row = 0; row < batch.rows() / batch.columns; ++row) {
    if (outputs.offsets[row] < outputs.offsets[row + 1]) first.push_back(outputs.offsets[row]);
  }
  return at::index_select(outputs.embeddings_RD, 0, upload<int64_t>(first, outputs.embeddings_RD.device()));
}

std::optional<StepReport> Trainer::Impl::finish(const PackedBatch& batch, const at::Tensor& embeddings_RD,
                                                const LossValue& value, const StepOptions& options) {
  updater->add(value);
  ++counted.batches;
  counted.tokens += batch.tokens();
  ++accumulated;
  if (options.update) {
    const ProfileScope scope("optimizer");
    const Timer timer(counted.optimizer_ms);
    updater->update(sets, options.rates);
    ++step;
    accumulated = 0;
  }
  if (!options.report) return std::nullopt;
  StepReport out = counted;
  counted = {};
  if (graphs != nullptr) out.graphs = graphs->counts();
  updater->report(out, embeddings_RD.narrow(0, 0, std::min(batch.rows() / batch.columns, embeddings_RD.size(0))));
  return out;
}

}  // namespace st
