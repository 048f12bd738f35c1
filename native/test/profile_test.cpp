// What a profile holds: calls, own times, threads, nothing from outside it.
#include "core/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace st::test {

namespace {

void spend(int milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (std::chrono::steady_clock::now() < end) {
  }
}

const Profile::Part* find(const Profile& profile, const std::string& name) {
  const auto part =
      std::find_if(profile.parts.begin(), profile.parts.end(), [&](const auto& p) { return p.name == name; });
  return part == profile.parts.end() ? nullptr : &*part;
}

TEST(Profile, OwnTimeLeavesOutThePartsInside) {
  ASSERT_TRUE(profile_start());
  {
    const ProfileScope outer("outer");
    spend(2);
    for (int i = 0; i < 2; ++i) {
      const ProfileScope inner("inner");
      spend(3);
    }
  }
  const Profile profile = profile_stop();
  const Profile::Part *outer = find(profile, "outer"), *inner = find(profile, "inner");
  ASSERT_TRUE(outer != nullptr && inner != nullptr);
  EXPECT_EQ(outer->calls, 1);
  EXPECT_EQ(inner->calls, 2);
  EXPECT_GE(inner->own_ms, 6);
  EXPECT_DOUBLE_EQ(inner->own_ms, inner->total_ms);
  EXPECT_NEAR(outer->own_ms, outer->total_ms - inner->total_ms, 1e-6);
  EXPECT_LE(outer->own_ms + inner->own_ms, profile.wall_ms);
  ASSERT_EQ(profile.events.size(), 3U);
  // Inner parts end first.
  EXPECT_EQ(profile.parts[profile.events[0].part].name, "inner");
  EXPECT_EQ(profile.parts[profile.events[2].part].name, "outer");
  EXPECT_LE(profile.events[2].start_us, profile.events[0].start_us);
  EXPECT_EQ(profile.dropped, 0);
}

TEST(Profile, EqualNamesAreOnePart) {
  const std::string copy = "part";
  ASSERT_TRUE(profile_start());
  { const ProfileScope scope("part"); }
  { const ProfileScope scope(copy.c_str()); }
  const Profile profile = profile_stop();
  ASSERT_EQ(profile.parts.size(), 1U);
  EXPECT_EQ(profile.parts[0].calls, 2);
}

TEST(Profile, PartsOfAnotherProfileDoNotCount) {
  auto before = std::make_unique<ProfileScope>("before");
  ASSERT_TRUE(profile_start());
  before.reset();
  auto unfinished = std::make_unique<ProfileScope>("unfinished");
  EXPECT_TRUE(profile_stop().parts.empty());
  ASSERT_TRUE(profile_start());
  unfinished.reset();
  EXPECT_TRUE(profile_stop().parts.empty());
}

TEST(Profile, ThereIsOneAtATime) {
  ASSERT_TRUE(profile_start());
  EXPECT_FALSE(profile_start());
  profile_stop();
  const Profile none = profile_stop();
  EXPECT_TRUE(none.parts.empty());
  EXPECT_EQ(none.wall_ms, 0);
}

TEST(Profile, ThreadsAreToldApart) {
  ASSERT_TRUE(profile_start());
  { const ProfileScope scope("here"); }
  std::thread([] { const ProfileScope scope("there"); }).join();
  const Profile profile = profile_stop();
  ASSERT_EQ(profile.events.size(), 2U);
  EXPECT_NE(profile.events[0].thread, profile.events[1].thread);
}

}  // namespace

}  // namespace st::test
