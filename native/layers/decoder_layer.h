#pragma once

#include "layers/cross_attention.h"
#include "layers/self_attention.h"

namespace st {

// Attention to the tokens so far, attention to the encoder's rows, and a feed-forward block: one layer of a decoder.
template <typename FeedForward>
struct DecoderLayer {
  SelfAttention attention;
  CrossAttention cross;
  FeedForward feed_forward;

  struct Kept {
    SelfAttention::Kept attention;
    CrossAttention::Kept cross;
    typename FeedForward::Kept feed_forward;
  };

  NormPlace place() const { return feed_forward.place(); }
  // Below every layer lies the encoder.
  bool is_trained(const Gradients&) const { return true; }
  Stream take_stream(const Pass& pass) const { return feed_forward.take_stream(pass); }

  // Everything that forward() allocates.
  void keep(const Pass& pass) const {
    attention.keep(pass);
    attention.take_stream(pass);
    cross.keep(pass);
    cross.take_stream(pass);
    feed_forward.keep(pass);
  }

  // out may use the memory of `in` if no backward pass follows.
  Kept forward(const Pass& pass, const Stream& in, const Stream& out) const {
    const Stream first = attention.take_stream(pass), second = cross.take_stream(pass);
    Kept kept;
    kept.attention = attention.forward(pass, in, first);
    kept.cross = cross.forward(pass, first, second);
    kept.feed_forward = feed_forward.forward(pass, second, out);
    return kept;
  }

  // Returns the gradient of `in`, in the memory of d_out.
  Stream backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const {
    const Stream d_second = feed_forward.backward(pass, gradients, kept.feed_forward, d_out);
    const Stream d_first = cross.backward(pass, gradients, kept.cross, d_second);
    return attention.backward(pass, gradients, kept.attention, d_first);
  }
};

}  // namespace st
