#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "core/error.h"
#include "core/profile.h"
#include "engine/gathered.h"
#include "engine/trainer_impl.h"

namespace st {

Trainer::Trainer(std::shared_ptr<Encoder> encoder, const TrainerSpec& spec) {
  std::atomic<bool>& taken = encoder->impl().has_trainer;
  check(!taken.exchange(true), "ERR_BUSY",
        "The model is already being trained by another trainer: dispose that one first");
  try {
    impl_ = std::make_unique<Impl>(encoder, spec);
  } catch (...) {
    taken = false;
    throw;
  }
}

Trainer::~Trainer() {
  if (!impl_->disposed) dispose();
}

std::vector<TensorInfo> Trainer::tensors() const {
  const auto is_frozen = [&](const std::string& prefix) {
    return [this, prefix](const std::string& name) { return impl_->is_frozen(prefix + name); };
  };
  const Network& network = impl_->encoder->impl().network;
  const auto& networks = impl_->encoder->impl().networks;
  std::vector<TensorInfo> encoder;
  for (size_t set = 0; set < networks.size(); ++set) {
    const std::string prefix = Encoder::Impl::prefix(set);
    for (TensorInfo info : networks[set]->trained_tensors(is_frozen(prefix))) {
      info.name.insert(0, prefix);
      encoder.push_back(std::move(info));
    }
  }
  std::vector<TensorInfo> out;
  for (const auto& loss : impl_->losses) {
    // Without weights that a schedule sets.
    const std::vector<TensorInfo> owned = loss->parameters.layout.tensors(true);
    out.insert(out.end(), owned.begin(), owned.end());
  }
  if (impl_->has_twin) {
    for (TensorInfo info : network.trained_tensors(is_frozen(kTwinPrefix))) {
      info.name = kTwinPrefix + info.name;
      out.push_back(std::move(info));
    }
  }
  std::vector<TensorInfo> all = encoder;
  all.insert(all.end(), out.begin(), out.end());
  std::vector<std::string> kinds = {"grad"};
  for (const std::string& name : optimizer_state_names(impl_->spec.optimizer)) kinds.push_back(name);
  for (const std::string& kind : kinds) {
    for (TensorInfo info : all) {
      info.name = kind + "." + info.name;
      out.push_back(std::move(info));
    }
  }
  return out;
}

void Trainer::set_groups(std::vector<double> weight_decays, std::map<std::string, int> groups) {
  check(impl_->sets.all.empty(), "ERR_INVALID_ARGUMENT", "Groups are set before the first job of a trainer");
  check(weight_decays.size() >= 2, "ERR_INVALID_ARGUMENT", "Expected at least 2 groups but found ",
        weight_decays.size());
  for (const auto& [name, group] : groups) {
    check(group >= -1 && group < static_cast<int>(weight_decays.size()), "ERR_INVALID_ARGUMENT",
          "Expected a group from -1 to ", weight_decays.size() - 1, " for ", name, " but found ", group);
  }
  impl_->sets.weight_decays = std::move(weight_decays);
  impl_->groups = std::move(groups);
}

void Trainer::load(const std::vector<TensorRange>& ranges) {
  check(impl_->held == nullptr, "ERR_BUSY", "Tensors are not loaded between the two halves of a training step");
  impl_->for_each(ranges,
                  [](const Layout& layout, at::Tensor& flat, const TensorRange& range) { layout.load(flat, range); });
  const bool gradients =
      std::any_of(ranges.begin(), ranges.end(), [](const auto& range) { return range.name.rfind("grad.", 0) == 0; });
  for (auto& set : impl_->sets.all) set->loaded(gradients);
}

void Trainer::dump(const std::vector<TensorRange>& ranges) {
  impl_->for_each(ranges,
                  [](const Layout& layout, at::Tensor& flat, const TensorRange& range) { layout.dump(flat, range); });
}

std::optional<StepReport> Trainer::step(const RoutedBatch& batch, const StepOptions& options) {
  const ProfileScope scope("step");
  Network& network = impl_->open();
  impl_->encoder->impl().validate(batch);
  impl_->prepare();
  impl_->held.reset();
  if (const auto outputs = impl_->recorded(batch, options)) {
    return impl_->finish(batch, outputs->embeddings_RD, outputs->value, options);
  }
  Impl::Pending pending = impl_->forward(batch, options);
  LossGradients found;
  {
    const ProfileScope loss_scope("loss");
    const Timer timer(impl_->counted.forward_ms);
    const LossContext context{.batch = batch,
                              .network = network,
                              .dropout = impl_->dropout_key(),
                              .training = true,
                              .gradients = &impl_->sets.all[0]->gradients(),
                              .recompute = impl_->spec.activation_checkpointing || options.recompute,
                              .gradient_scale = impl_->gradient_scale()};
    found = impl_->loss_of(context, pending.outputs, options);
  }
  impl_->backward(pending, found, options);
  return impl_->finish(batch, Impl::shown(batch, pending.outputs), found.value, options);
}

Evaluation Trainer::evaluate(const RoutedBatch& batch, int64_t loss) {
  Network& network = impl_->open();
  impl_->encoder->impl().validate(batch);
  impl_->prepare();
  if (impl_->replicas) impl_->replicas->settle();
  const at::NoGradGuard no_grad;
  const OwnedLoss& owned = impl_->loss_at(loss);
  const LossNeeds needs = owned.loss->needs();
  std::optional<ChunkedPass> pass;  // its outputs may lie in this pass's memory
  Network::Output outputs;
  if (needs.layers || needs.tokens || needs.twin || needs.vectors || needs.reconstruction) {
    std::vector<Route> routes = impl_->encoder->impl().routes_of(batch);
    if (needs.twin) routes[0] = {impl_->twin.get(), 0, 0};
    pass.emplace(batch, plan_chunks(batch, routes, {}), impl_->dropout_key(),
                 Network::Wanted{.layers = needs.layers,
                                 .tokens = needs.tokens,
                                 .drops = false,
                                 .reconstruction = needs.reconstruction,
                                 .column_rows = batch.rows() / batch.columns});
    outputs = pass->forward();
  } else {
    outputs.embeddings_RD = impl_->encoder->impl().encode(batch, EncoderOutput::kSentenceEmbedding);
  }
  const LossValue value = value_of(owned, {batch, network, impl_->dropout_key(), false}, outputs);
  Evaluation out{value.total.item<double>(), {}};
  for (const auto& [name, number] : value.logged) out.components[name] = number.item<double>();
  return out;
}

void Trainer::copy_weights() {
  impl_->open();
  impl_->prepare();
  check(impl_->replicas.has_value(), "ERR_INVALID_ARGUMENT", "This trainer is that of one process alone");
  const at::NoGradGuard no_grad;
  impl_->replicas->copy_weights(impl_->sets);
}

std::vector<int64_t> Trainer::counters() {
  impl_->open();
  impl_->prepare();
  if (impl_->replicas) impl_->replicas->settle();
  std::vector<int64_t> out = {impl_->step};
  for (const auto& set : impl_->sets.all) out.push_back(set->updates());
  return out;
}

void Trainer::set_counters(const std::vector<int64_t>& counters) {
  impl_->open();
  impl_->prepare();
  check(counters.size() == impl_->sets.all.size() + 1, "ERR_INVALID_ARGUMENT", "Expected ", impl_->sets.all.size() + 1,
        " counters but found ", counters.size(), ": they belong to a trainer with other losses");
  impl_->step = counters[0];
  for (size_t i = 0; i < impl_->sets.all.size(); ++i) impl_->sets.all[i]->set_updates(counters[i + 1]);
}

std::optional<LossScaler::State> Trainer::loss_scaler() {
  impl_->open();
  impl_->prepare();
  if (!impl_->scaler) return std::nullopt;
  return impl_->scaler->state();
}

void Trainer::set_loss_scaler(const LossScaler::State& state) {
  impl_->open();
  impl_->prepare();
  check(impl_->scaler.has_value(), "ERR_INVALID_ARGUMENT", "This trainer scales no losses");
  const at::NoGradGuard no_grad;
  impl_->scaler->set(state);
}

void Trainer::dispose() {
  if (impl_->disposed) return;
  impl_->disposed = true;
  impl_->held.reset();
  for (const auto& each : impl_->forwarded) {
    const auto forwarded = each.lock();
    if (forwarded == nullptr) continue;
    forwarded->trainer = nullptr;
    forwarded->pending = {};
  }
  impl_->graphs.reset();
  if (impl_->replicas) impl_->replicas->watch_weights(impl_->sets, true);
  impl_->sets.all.clear();
  impl_->replicas.reset();
  impl_->updater.reset();
  impl_->scaler.reset();
  for (auto& loss : impl_->losses) loss->parameters.dispose();
  impl_->twin.reset();
  Encoder::Impl& encoder = impl_->encoder->impl();
  if (!encoder.disposed) {
    for (const auto& network : encoder.networks) {
      network->set_compute(impl_->encoder_precision);
      network->thaw();
    }
  }
  encoder.has_trainer = false;
}

}  // namespace st
