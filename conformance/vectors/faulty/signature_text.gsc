# splats
