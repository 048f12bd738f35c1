// Steps that are recorded and repeated.
#include <ATen/core/grad_mode.h>

#include "engine/gathered.h"
#include "engine/trainer_impl.h"

namespace st {

std::optional<StepGraphs::Outputs> Trainer::Impl::recorded(const RoutedBatch& batch, const StepOptions& options) {
  if (graphs == nullptr) return std::nullopt;
  const OwnedLoss& loss = loss_at(options.loss);
  const LossNeeds needs = loss.loss->needs();
  Network& network = open();
  if (replicas) {
    // Sums over ranks begin in the backward pass, and a recording of them would hold all ranks to one order of shapes.
    graphs->pass_by("several processes");
    return std::nullopt;
  }
  if (encoder->impl().routes.size() > 1) {
    graphs->pass_by("several routes");
    return std::nullopt;
  }
  if (const char* why = unrecorded(needs, batch, options,
                                   network.takes_fixed() && !spec.activation_checkpointing && !options.recompute)) {
    graphs->pass_by(why);
    return std::nullopt;
  }
  check_rates(options);
  check_loss(loss, batch, network.embedding_width());
  const Timer timer(counted.forward_ms);
  const StepGraphs::Key key{shape_of(batch, network.model().sizes().positions), batch.columns, options.loss,
                            options.loss_scale};
  Trained& encoders = *sets.all[0];
  Trained& own = *sets.all[set_of_loss(options.loss)];
  const Network::Wanted wanted{.layers = needs.layers, .hold_bias = needs.ignores_shift};
  const double scale = options.loss_scale;
  const auto step = [this, &loss, &batch, &network, &encoders, &own, wanted, scale](const Input& input,
                                                                                    const LossTensors& given) {
    // This step's key. Later batches pass theirs through the input.
    const DropoutKey dropout = dropout_key();
    TrainingPass pass(network);
    const Network::Output outputs = pass.forward(input, dropout, wanted);
    const LossContext context{.batch = batch,
                              .network = network,
                              .dropout = dropout,
                              .training = true,
                              .given = &given,
                              .gradient_scale = gradient_scale()};
    const LossGradients found = differentiate(loss, context, outputs, scale);
    const at::NoGradGuard no_grad;
    add_to(own, found);
    pass.backward(input, dropout, found.outputs, encoders.gradients());
    return StepGraphs::Outputs{outputs.embeddings_RD, found.value};
  };
  const StepGraphs::Outputs outputs = graphs->run(batch, dropout_key(), key, network.workspace(), step);
  own.used = encoders.used = true;
  return outputs;
}

}  // namespace st
