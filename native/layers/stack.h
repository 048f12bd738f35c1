#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "layers/embeddings.h"
#include "layers/first_norm.h"
#include "layers/layer.h"

namespace st {

// A dropout of what comes out of the last layer (T5).
struct LastDropout {
  double probability = 0;
  uint32_t site = 0;
};

// Embeddings and the layers above them: an encoder's loop, forward and backward.
template <typename Layer>
struct Stack {
  Embeddings embeddings;
  std::vector<Layer> layers;
  int64_t width;
  std::optional<FirstNorm> first_norm = {};
  LastDropout last_dropout = {};

  struct Kept {
    Embeddings::Kept embeddings;
    FirstNorm::Kept first_norm;
    std::vector<Stream> streams;               // before the first layer and after each
    std::vector<typename Layer::Kept> layers;  // empty if the backward pass recomputes them
  };

  // Returns the output of the last layer [T, width], in the pass's workspace.
  at::Tensor forward(const Pass& pass, Kept& kept) const {
    Stream x(pass.take(width));
    kept.embeddings = embeddings.forward(pass, x.x_TD);
    if (first_norm) x = first_norm->forward(pass, x.x_TD, kept.first_norm);
    kept.streams.clear();
    kept.layers.clear();
    if (pass.keeps_outputs()) kept.streams.push_back(x);
    for (const Layer& layer : layers) {
      // If nobody reads its input again, a layer overwrites it with its output of the same form.
      const bool in_place = !pass.keeps_outputs() && x.is_one() == (layer.place() == NormPlace::kPost);
      const Stream out = in_place ? x : layer.take_stream(pass);
      if (pass.training && !pass.recompute) {
        kept.layers.push_back(layer.forward(pass, x, out));
      } else {
        const Scratch scratch(pass.workspace);
        layer.forward(pass, x, out);
      }
      x = out;
      if (pass.keeps_outputs()) kept.streams.push_back(x);
    }
    drop(pass.input, of_output(pass), x.x_TD);
    return x.x_TD;
  }

  // forward() of a pass without training, whose layers all have the same place of the norm: `forward_layer(layer, i,
  // x)` overwrites the stream x.
  template <typename Forward>
  at::Tensor forward_each(const Pass& pass, const Forward& forward_layer) const {
    Stream x(pass.take(width));
    embeddings.forward(pass, x.x_TD);
    FirstNorm::Kept kept;
    if (first_norm) x = first_norm->forward(pass, x.x_TD, kept);
    for (size_t i = 0; i < layers.size(); ++i) {
      const Scratch scratch(pass.workspace);
      forward_layer(layers[i], i, x);
    }
    return x.x_TD;
  }

  // What it computes as a graph: forward()'s output. `outputs` get those of outputs_TD().
  onnx::Value add_to(onnx::Graph& graph, std::vector<onnx::Value>& outputs) const {
    const onnx::Value first = embeddings.add_to(graph);
    GraphStream stream = first_norm ? first_norm->add_to(graph, first) : GraphStream{first, first};
    for (const Layer& layer : layers) {
      outputs.push_back(stream.sum);
      stream = layer.add_to(graph, stream);
    }
    outputs.push_back(stream.x);
    return stream.x;
  }

  // transformers' hidden_states: the sums between layers, and the output of the last layer.
  std::vector<at::Tensor> outputs_TD(const Kept& kept) const {
    std::vector<at::Tensor> out;
    for (const Stream& stream : kept.streams) out.push_back(stream.sum_TD);
    if (!out.empty()) out.back() = kept.streams.back().x_TD;
    return out;
  }

  // Adds to the gradients. Overwrites d_x and the kept tensors. Nothing below the lowest trained parameter is
  // differentiated. `d_outputs`: further gradients of outputs; empty, or one for each output, undefined where there
  // is none.
  void backward(const Pass& pass, Gradients& gradients, Kept& kept, const at::Tensor& d_x_TD,
                const std::vector<at::Tensor>& d_outputs) const {
    const auto add_output = [&](size_t i, const at::Tensor& to_TD) {
      if (!d_outputs.empty() && d_outputs[i].defined()) at::Tensor(to_TD).add_(d_outputs[i]);
    };
    const Scratch scratch(pass.workspace);
    Stream d(d_x_TD);
    if (!kept.streams.back().is_one()) d.sum_TD = pass.take(width).zero_();
    add_output(layers.size(), d.x_TD);
    drop(pass.input, of_output(pass), d.x_TD);
    const bool to_embeddings = embeddings.is_trained(gradients);
    const bool to_first_norm = first_norm && (to_embeddings || first_norm->is_trained(gradients));
    const auto lowest =
        std::find_if(layers.begin(), layers.end(), [&](const Layer& layer) { return layer.is_trained(gradients); });
    const size_t end = to_embeddings || to_first_norm ? 0 : static_cast<size_t>(lowest - layers.begin());
    for (size_t i = layers.size(); i-- > end;) {
      const Scratch of_layer(pass.workspace);
      const auto of =
          pass.recompute ? layers[i].forward(pass, kept.streams[i], kept.streams[i + 1]) : std::move(kept.layers[i]);
      Pass of_pass = pass;
      of_pass.to_input = i > end || to_embeddings || to_first_norm;
      d = layers[i].backward(of_pass, gradients, of, d);
      add_output(i, d.sum_TD);
      if (pass.layer_done != nullptr) (*pass.layer_done)(static_cast<int64_t>(i));
    }
    if (to_first_norm) first_norm->backward(pass, gradients, kept.first_norm, kept.streams[0].sum_TD, d);
    if (to_embeddings) embeddings.backward(pass, gradients, kept.embeddings, d.sum_TD);
    kept = {};
  }

  // Bytes that a training pass keeps for each token of a row of ordinary length. Of the parameters, only what is
  // trained, their types and adapters are read.
  int64_t kept_per_token(const Parameters& parameters, bool recompute) const {
    Rows batch;
    constexpr int32_t kTokens = 64;
    batch.ids.assign(kTokens, 0);
    batch.offsets = {0, kTokens};
    const Input input(batch, at::kCPU);
    Workspace counted(at::kMeta);
    const Pass pass{.input = input, .parameters = parameters, .workspace = counted, .training = true};
    embeddings.keep(pass);
    pass.take(width);
    if (first_norm) first_norm->keep(pass);
    for (const Layer& layer : layers) {
      layer.take_stream(pass);
      if (!recompute || &layer == &layers.back()) layer.keep(pass);
    }
    return counted.counted() / kTokens;
  }

 private:
  Dropout of_output(const Pass& pass) const { return pass.dropout_at(last_dropout.site, last_dropout.probability); }
};

}  // namespace st
