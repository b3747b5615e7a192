0 | rooms:.4 garden:.75 noise:.1 terraced
1 2 'the_mill | rooms:.9 garden:.2 noise:.35 detached
0 1 0 number_seven| rooms:.15 garden:.6 noise:.8 terraced
'the_barn |place city=Ulm lake |measures:0.5 rooms:.5 garden:.2
