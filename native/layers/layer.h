#pragma once

#include "layers/self_attention.h"

namespace st {

// Attention and a feed-forward block: one layer of an encoder.
template <typename FeedForward, typename Attention = SelfAttention>
struct Layer {
  Attention attention;
  FeedForward feed_forward;

  struct Kept {
    typename Attention::Kept attention;
    typename FeedForward::Kept feed_forward;
  };

  NormPlace place() const { return feed_forward.place(); }
  bool is_trained(const Gradients& gradients) const {
    return attention.is_trained(gradients) || feed_forward.is_trained(gradients);
  }
  Stream take_stream(const Pass& pass) const { return feed_forward.take_stream(pass); }

  // Everything that forward() allocates.
  void keep(const Pass& pass) const {
    attention.keep(pass);
    attention.take_stream(pass);
    feed_forward.keep(pass);
  }

  // out may use the memory of `in` if no backward pass follows.
  Kept forward(const Pass& pass, const Stream& in, const Stream& out) const {
    const Stream middle = attention.take_stream(pass);
    Kept kept;
    kept.attention = attention.forward(pass, in, middle);
    kept.feed_forward = feed_forward.forward(pass, middle, out);
    return kept;
  }

  GraphStream add_to(onnx::Graph& graph, const GraphStream& in) const {
    return feed_forward.add_to(graph, attention.add_to(graph, in));
  }

  // Returns the gradient of `in`, in the memory of d_out.
  Stream backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const {
    return attention.backward(pass, gradients, kept.attention,
                              feed_forward.backward(pass, gradients, kept.feed_forward, d_out));
  }
};

}  // namespace st
